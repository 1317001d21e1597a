"""`excamera sample`."""

from __future__ import annotations

from pathlib import Path

import click

from excamera.errors import UnknownOutputFormat
from excamera.media.sample import SampleClip, write_sample
from excamera.places import check_place, written

_ENDINGS = (".mp4", ".mkv")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--seconds", type=click.FloatRange(0.1, 60), default=SampleClip().seconds,
              show_default=True, help="Length of the clip.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def sample(path: Path, seconds: float, overwrite: bool) -> None:
    """Write a short moving test clip with sound to PATH (.mp4 or .mkv)."""
    check_place(path, overwrite=overwrite)
    if path.suffix.lower() not in _ENDINGS:
        raise UnknownOutputFormat(f"{path}: the clip must end in {' or '.join(_ENDINGS)}")
    with written(path, overwrite=overwrite) as part:
        write_sample(part, SampleClip(seconds=seconds))
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
