"""`excamera sample`."""

from __future__ import annotations

from pathlib import Path

import click

from excamera.cli.help import command, option
from excamera.errors import UnknownOutputFormat
from excamera.media.sample import SampleClip, write_sample
from excamera.places import check_place, written

_ENDINGS = (".mp4", ".mkv")


@command(
    examples=[("excamera sample --seconds 5 clip.mp4", "A clip to try the other commands with.")]
)
@click.argument("path", type=click.Path(path_type=Path))
@option("--seconds", type=click.FloatRange(0.1, 60), default=SampleClip().seconds,
              show_default=True, help="Length of the clip.")  # fmt: skip
@option("--overwrite", is_flag=True, help="Replace a file that exists.")
def sample(path: Path, seconds: float, overwrite: bool) -> None:
    """Write a short moving test clip with sound to PATH (.mp4 or .mkv)."""
    check_place(path, overwrite=overwrite)
    if path.suffix.lower() not in _ENDINGS:
        raise UnknownOutputFormat(f"{path}: the clip must end in {' or '.join(_ENDINGS)}")
    with written(path, overwrite=overwrite) as part:
        write_sample(part, SampleClip(seconds=seconds))
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
