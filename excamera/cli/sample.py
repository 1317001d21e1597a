"""`excamera sample`."""

from __future__ import annotations

from pathlib import Path

import click

from excamera.errors import NoOutputFolder, OutputExists
from excamera.media.sample import SampleClip, write_sample


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--seconds", type=click.FloatRange(0.1, 60), default=SampleClip().seconds,
              show_default=True, help="Length of the clip.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def sample(path: Path, seconds: float, overwrite: bool) -> None:
    """Write a short moving test clip with sound to PATH (.mp4 or .mkv)."""
    if not path.parent.is_dir():
        raise NoOutputFolder(f"{path}: there is no folder {path.parent}")
    if path.exists() and not overwrite:
        raise OutputExists(f"{path}: exists already (--overwrite replaces it)")
    write_sample(path, SampleClip(seconds=seconds))
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
