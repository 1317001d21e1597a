"""`excamera decode`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import click

import codec
from excamera.errors import NoOutputFolder
from excamera.media.playback import read_file, shown_pictures, y4m


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--md5", is_flag=True, help="Print the MD5 of every shown frame's I420 bytes.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write a .y4m file.")
def decode(file: Path, md5: bool, output: Path | None) -> None:
    """Decode FILE (.ivf or .webm) with ExCamera's own VP8 decoder."""
    if output is not None and not output.parent.is_dir():
        raise NoOutputFolder(f"{output}: there is no folder {output.parent}")
    video = read_file(file)
    counted = _Counted(shown_pictures(video.frames), md5)
    if output is None:
        for _ in counted:
            pass
    else:
        _write(output, y4m(counted, video.frame_rate))
    if not md5:
        click.echo(f"{counted.count} frames")


class _Counted:
    """Passes pictures on, counts them and prints their digests if asked."""

    def __init__(self, pictures: Iterator[codec.Raster], md5: bool) -> None:
        self._pictures = pictures
        self._md5 = md5
        self.count = 0

    def __iter__(self) -> Iterator[codec.Raster]:
        return self

    def __next__(self) -> codec.Raster:
        picture = next(self._pictures)
        self.count += 1
        if self._md5:
            digest = hashlib.md5(picture.i420(), usedforsecurity=False).hexdigest()
            click.echo(f"{digest}  {self.count:04d}")
        return picture


def _write(output: Path, parts: Iterator[bytes]) -> None:
    if output.exists() and not output.is_file():
        # A pipe or a device is written to, never replaced.
        with output.open("wb") as out:
            for data in parts:
                out.write(data)
        return
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            for data in parts:
                out.write(data)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
