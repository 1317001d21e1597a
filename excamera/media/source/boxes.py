"""The boxes of an MP4 or MOV file, such as those with its index and its media data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from excamera.media.source.guard import GuardedFile

_MOST_BOXES = 1000  # no program writes a file with more boxes before its index


@dataclass(frozen=True, slots=True)
class Box:
    """A box; `kind` is None if these bytes are not a box."""

    kind: bytes | None
    inside: int
    end: int


def top_boxes(file: GuardedFile) -> Iterator[Box]:
    """The boxes at the top level."""
    return _boxes(file, 0, file.size)


def children(file: GuardedFile, outer: Box, kind: bytes | None = None) -> Iterator[Box]:
    """The boxes in a box, of one kind or all."""
    inner = _boxes(file, outer.inside, min(outer.end, file.size))
    return (box for box in inner if box.kind is not None and kind in (None, box.kind))


def _boxes(file: GuardedFile, at: int, end: int) -> Iterator[Box]:
    for _ in range(_MOST_BOXES):
        if at >= end:
            return
        head = file.read_at(at, 16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        header = 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = end - at  # the last box reaches to the end of the file
        if len(head) < header or length < header:
            break
        yield Box(kind, at + header, at + length)
        at += length
    yield Box(None, at, at)


def index_is_cut(file: GuardedFile) -> bool:
    """Whether the file ends within its ``moov`` box.

    FFmpeg then uses the part that is left, which may list pictures without their sound.
    """
    for box in top_boxes(file):
        if box.kind == b"moov":
            return box.end > file.size
    return False


def media_data(file: GuardedFile) -> list[range]:
    """The contents of the ``mdat`` boxes of a file whose whole index is its ``moov`` box.

    Returns:
        Parts of the file in order; none if it is fragmented or in any way odd.
    """
    parts: list[range] = []
    has_index = False
    for box in top_boxes(file):
        if box.kind in (None, b"moof"):
            return []
        if box.kind == b"mdat":
            parts.append(range(box.inside, min(box.end, file.size)))
        has_index = has_index or box.kind == b"moov"
    return parts if has_index else []
