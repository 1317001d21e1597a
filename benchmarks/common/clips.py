"""The real clips on which figures are measured, and how a clip becomes a y4m file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation

from excamera.media.source.picture import Planes


@dataclass(frozen=True)
class Clip:
    """The first frames of one real clip, optionally scaled or cropped, or made from real clips.

    Attributes:
        name: Name in tables and result files.
        file: File name in the media folder.
        frames: Number of frames used, from the start.
        scale_to_px: (width, height) after lanczos scaling, or None.
        crop_height_px: Lines kept, from the top, or None.
        make: For generated clips, makes their frames from the media folder; else None.
    """

    name: str
    file: str
    frames: int
    scale_to_px: tuple[int, int] | None = None
    crop_height_px: int | None = None
    make: Callable[[Path], Iterator[Planes]] | None = None

    def pictures(self, media: Path) -> Iterator[Planes]:
        """Yields its frames as I420 planes, with the source's sample values."""
        return self.make(media) if self.make else _read(self, media)


CLIPS = (
    Clip("foreman-cif", "foreman_cif.264", 300),
    Clip("carphone-qcif", "carphone_pristine.mp4", 120),
    Clip("bigbuckbunny-720p", "bigbuckbunny.mp4", 132),
    Clip("flower-720p", "flower_720p.264", 300),
    Clip("street-720p", "street_1080p.264", 54, scale_to_px=(1280, 720)),
    Clip("street-1072p", "street_1080p.264", 54, crop_height_px=1072),
)
"""All clips of the media folder, whole."""


def _read(clip: Clip, media: Path) -> Iterator[Planes]:
    with av.open(str(media / clip.file)) as source:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        for number, frame in enumerate(source.decode(stream)):
            if number == clip.frames:
                break
            if clip.scale_to_px is not None:
                width, height = clip.scale_to_px
                frame = frame.reformat(
                    width=width,
                    height=height,
                    format=frame.format.name,
                    interpolation=Interpolation.LANCZOS,
                )
            if frame.format.name not in ("yuv420p", "yuvj420p"):
                raise ValueError(f"{clip.file}: {frame.format.name} is not 8-bit 4:2:0")
            lines = clip.crop_height_px or frame.height
            y, u, v = (
                np.frombuffer(memoryview(plane), np.uint8)
                .reshape(plane.height, plane.line_size)[:, : plane.width]
                .copy()
                for plane in frame.planes
            )
            half = (lines + 1) // 2
            yield y[:lines], u[:half], v[:half]


def _rate(clip: Clip, media: Path) -> Fraction:
    with av.open(str(media / clip.file)) as source:
        stream = source.streams.video[0]
        return Fraction(stream.average_rate or stream.guessed_rate or 25)


def write_y4m(clip: Clip, media: Path, destination: Path) -> None:
    """Writes the clip's frames as 4:2:0 y4m with the sample values unchanged.

    A full-range source keeps its values and is written without a range tag:
    every encoder then gets the same numbers.
    """
    partial = destination.with_suffix(".part")
    rate = _rate(clip, media)
    written = 0
    with partial.open("wb") as out:
        for planes in clip.pictures(media):
            if written == 0:
                height, width = planes[0].shape
                head = f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator}"
                out.write(f"{head} Ip A1:1 C420jpeg\n".encode())
            out.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes))
            written += 1
    if written != clip.frames:
        raise ValueError(f"{clip.file} has {written} frames, {clip.frames} are needed")
    partial.replace(destination)


def source_of(clip: Clip, media: Path, cache: Path) -> Path:
    """Returns the clip's y4m file; writes it if the cache folder lacks it."""
    path = cache / f"{clip.name}.y4m"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        write_y4m(clip, media, path)
    return path


def sha256_of(path: Path) -> str:
    """Returns the file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
