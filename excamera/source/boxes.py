"""Where an MP4 or MOV file keeps its pictures and sound, which its index does not need."""

from __future__ import annotations

from excamera.source.guard import GuardedFile

_MOST_BOXES = 1000  # a file with more at its top level is none that a camera or encoder writes


def media_data(file: GuardedFile) -> list[range]:
    """The insides of the ``mdat`` boxes of a file whose whole index is its ``moov`` box.

    Returns:
        Parts of the file in order; none if it is fragmented or in any way odd.
    """
    parts: list[range] = []
    kinds: set[bytes] = set()
    at = 0
    for _ in range(_MOST_BOXES):
        if at >= file.size:
            return parts if b"moov" in kinds else []
        head = file.read_at(at, 16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        header = 8
        if length == 1:
            length, header = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = file.size - at  # the last box reaches to the end of the file
        if len(head) < header or length < header or kind == b"moof":
            return []
        if kind == b"mdat":
            parts.append(range(at + header, min(at + length, file.size)))
        kinds.add(kind)
        at += length
    return []
