"""Decoding finished files with our own codec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import codec
from codec.errors import CodecError
from excamera.errors import ContainerError, InputIsDirectory, NoSuchInput, SizeChange
from excamera.media.container import ivf, webm_reader
from mu.machine import available_cpus


@dataclass(frozen=True, slots=True)
class VideoFile:
    """The coded frames of a file.

    Attributes:
        frames: coded bytes in file order.
        times: timestamp of each, in ticks of `time_base`.
        time_base: seconds of one tick.
    """

    frames: list[bytes]
    times: list[int]
    time_base: Fraction

    @property
    def frame_rate(self) -> Fraction:
        """Mean rate of the shown frames; 25 for a single one."""
        shown = [t for t, f in zip(self.times, self.frames, strict=True) if codec.is_shown(f)]
        if len(shown) < 2 or shown[-1] <= shown[0]:
            return Fraction(25)
        rate = Fraction(len(shown) - 1) / ((shown[-1] - shown[0]) * self.time_base)
        return rate.limit_denominator(1001)


def read_file(path: Path) -> VideoFile:
    """Read the VP8 frames of an IVF, WebM or Matroska file, whatever its name.

    Raises:
        NoSuchInput: there is no such file.
        ContainerError: it is none of these, or damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NoSuchInput(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise InputIsDirectory(f"{path}: is a directory") from error
    try:
        if data[:4] == b"DKIF":
            file = ivf.parse(data)
            return VideoFile(
                [f.data for f in file.frames], [f.pts for f in file.frames], file.time_base
            )
        if data[:4] == b"\x1a\x45\xdf\xa3":
            blocks = webm_reader.parse(data)
            times = [round(block.time_ms) for block in blocks]
            return VideoFile([block.data for block in blocks], times, Fraction(1, 1000))
    except ContainerError as error:
        raise ContainerError(f"{path}: {error}") from error
    raise ContainerError(f"{path}: neither IVF nor WebM")


def shown_pictures(frames: list[bytes]) -> Iterator[codec.Raster]:
    """The pictures that a player shows, one for every shown frame.

    Raises:
        CodecError: a frame cannot be decoded; the message names it.
    """
    state: codec.State | None = None
    threads = min(codec.USEFUL_THREADS, available_cpus())
    for number, frame in enumerate(frames, start=1):
        try:
            decoded = codec.decode(state, frame, threads=threads)
        except CodecError as error:
            kind = type(error)
            raise kind(f"frame {number} of {len(frames)}: {error}") from error
        state = decoded.state
        if codec.is_shown(frame):
            yield decoded.raster


def y4m(pictures: Iterator[codec.Raster], rate: Fraction) -> Iterator[bytes]:
    """Pictures as the parts of a YUV4MPEG2 file.

    Raises:
        SizeChange: the pictures differ in size, which this format cannot hold.
    """
    size: tuple[int, int] | None = None
    for number, picture in enumerate(pictures, start=1):
        now = (picture.width, picture.height)
        if size is None:
            size = now
            head = f"W{now[0]} H{now[1]} F{rate.numerator}:{rate.denominator}"
            yield f"YUV4MPEG2 {head} Ip A0:0 C420jpeg\n".encode()
        if now != size:
            raise SizeChange(
                f"frame {number} is {now[0]}x{now[1]} after {size[0]}x{size[1]}: "
                "a y4m file has one size"
            )
        yield b"FRAME\n"
        yield picture.i420()
