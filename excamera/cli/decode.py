"""`excamera decode`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import click

import codec
from excamera.cli.help import command, option
from excamera.media.playback import read_file, shown_pictures, y4m
from excamera.places import check_place, written


@command(
    examples=[
        ("excamera decode film.webm", "Checks that every frame can be decoded, and counts them."),
        ("excamera decode --md5 film.webm > film.md5", "A digest of each picture."),
        ("excamera decode -o film.y4m film.webm", "The pictures, for other programs."),
    ]
)
@click.argument("file", type=click.Path(path_type=Path))
@option("--md5", is_flag=True, help="Print the MD5 of every shown frame's I420 bytes.")
@option("-o", "--output", type=click.Path(path_type=Path), help="Write a .y4m file.")
def decode(file: Path, md5: bool, output: Path | None) -> None:
    """Decode VP8 in FILE (.ivf, .webm or .mkv) with ExCamera's own decoder."""
    if output is not None:
        check_place(output, source=str(file))
    video = read_file(file)
    counted = _Counted(shown_pictures(video.frames), md5)
    if output is None:
        for _ in counted:
            pass
    else:
        with written(output) as part, part.open("wb") as out:
            for data in y4m(counted, video.frame_rate):
                out.write(data)
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
