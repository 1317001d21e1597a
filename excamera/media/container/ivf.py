"""IVF: a 32-byte header, then for each frame its size, its timestamp and its bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from excamera.errors import ContainerError
from excamera.media.codecs import VP8, OutputCodec

_HEADER = struct.Struct("<4sHH4sHHIIII")
_FRAME = struct.Struct("<IQ")
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class IvfFrame:
    """One frame: timestamp in ticks of the file's time base, and the coded bytes."""

    pts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class IvfFile:
    """A whole IVF file.

    Attributes:
        width: from the header, px.
        height: from the header, px.
        time_base: seconds of one tick.
        frames: in file order.
    """

    width: int
    height: int
    time_base: Fraction
    frames: list[IvfFrame]


def header(
    width: int, height: int, time_base: Fraction, count: int, codec: OutputCodec = VP8
) -> bytes:
    """The file header.

    Args:
        width: px.
        height: px.
        time_base: seconds of one tick.
        count: of frames.
        codec: of the frames.

    Raises:
        ContainerError: the time base does not fit.
    """
    if max(time_base.numerator, time_base.denominator) > _WORD:
        raise ContainerError(f"IVF cannot hold the time base {time_base}")
    rate, scale = time_base.denominator, time_base.numerator
    return _HEADER.pack(b"DKIF", 0, 32, codec.fourcc, width, height, rate, scale, count, 0)


def frames(records: Iterable[tuple[int, bytes]]) -> bytes:
    """Frames, given as (timestamp, bytes), without a file header."""
    parts = []
    for pts, data in records:
        parts.append(_FRAME.pack(len(data), pts))
        parts.append(data)
    return b"".join(parts)


def parse_header(data: bytes, codec: OutputCodec) -> tuple[int, int, Fraction]:
    """Width, height and time base.

    Raises:
        ContainerError: this is not the header of an IVF file of that codec.
    """
    if len(data) < _HEADER.size:
        raise ContainerError("too short for an IVF header")
    magic, _, length, found, width, height, rate, scale, _, _ = _HEADER.unpack_from(data)
    if magic != b"DKIF" or length < _HEADER.size:
        raise ContainerError("not an IVF file")
    if found != codec.fourcc:
        raise ContainerError(f"an IVF file of codec {found!r}, not {codec.fourcc!r}")
    return width, height, Fraction(scale or 1, rate or 1)


def parse(data: bytes, codec: OutputCodec = VP8) -> IvfFile:
    """Read a whole file.

    Raises:
        ContainerError: it is not IVF, of another codec, or cut off.
    """
    width, height, time_base = parse_header(data, codec)
    at = int.from_bytes(data[6:8], "little")
    found: list[IvfFrame] = []
    while at < len(data):
        if at + _FRAME.size > len(data):
            raise ContainerError(f"IVF file ends within the header of frame {len(found) + 1}")
        size, pts = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        if at + size > len(data):
            raise ContainerError(f"IVF file ends within frame {len(found) + 1}")
        found.append(IvfFrame(pts, data[at : at + size]))
        at += size
    return IvfFile(width, height, time_base, found)
