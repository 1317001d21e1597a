"""The clips on which rate-distortion figures are measured, as y4m files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation


@dataclass(frozen=True)
class Clip:
    """The first frames of one real clip, optionally scaled or cropped.

    Attributes:
        name: Name in tables and result files.
        file: File name in the media folder.
        frames: Number of frames used, from the start.
        scale_to_px: (width, height) after lanczos scaling, or None.
        crop_height_px: Lines kept, from the top, or None.
    """

    name: str
    file: str
    frames: int
    scale_to_px: tuple[int, int] | None = None
    crop_height_px: int | None = None


CLIPS = (
    Clip("foreman-cif", "foreman_cif.264", 192),
    Clip("bigbuckbunny-720p", "bigbuckbunny.mp4", 96),
    Clip("street-720p", "street_1080p.264", 54, scale_to_px=(1280, 720)),
    Clip("street-1072p", "street_1080p.264", 54, crop_height_px=1072),
)


def write_y4m(clip: Clip, media: Path, destination: Path) -> None:
    """Writes the clip's frames as 4:2:0 y4m with the sample values unchanged.

    A full-range source keeps its values and is written without a range tag:
    every encoder then gets the same numbers.
    """
    partial = destination.with_suffix(".part")
    with av.open(str(media / clip.file)) as source, partial.open("wb") as out:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        written = 0
        for frame in source.decode(stream):
            if written == clip.frames:
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
            if written == 0:
                out.write(
                    f"YUV4MPEG2 W{frame.width} H{lines} "
                    f"F{rate.numerator}:{rate.denominator} Ip A1:1 C420jpeg\n".encode()
                )
            out.write(b"FRAME\n")
            for index, plane in enumerate(frame.planes):
                rows = lines if index == 0 else (lines + 1) // 2
                samples = np.frombuffer(memoryview(plane), np.uint8)
                samples = samples.reshape(plane.height, plane.line_size)
                out.write(samples[:rows, : plane.width].tobytes())
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
