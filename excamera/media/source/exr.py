"""Whether an OpenEXR file is whole: FFmpeg decodes what there is of one, and tells nobody."""

from __future__ import annotations

import struct

_MAGIC = b"\x76\x2f\x31\x01"
_TILED, _SEVERAL_PARTS_OR_DEEP = 0x200, 0x1800


def is_whole(data: bytes) -> bool:
    """Whether all parts of the picture that the file's table names are there.

    A program that stops in the middle leaves entries of the table empty; a copy that stops has
    entries that point behind its end. Files with several parts or with depths are not looked at.
    """
    if data[:4] != _MAGIC:
        return True
    try:
        (version,) = struct.unpack_from("<I", data, 4)
        if version & _SEVERAL_PARTS_OR_DEEP:
            return True
        at = _end_of_header(data)
        # The table has no length: the parts begin where it ends.
        first = len(data)
        last = 0
        while at + 8 <= first:
            (place,) = struct.unpack_from("<Q", data, at)
            if not at < place < len(data):
                return False
            first, last = min(first, place), max(last, place)
            at += 8
        head = 16 if version & _TILED else 4
        (size,) = struct.unpack_from("<I", data, last + head)
        return bool(last) and last + head + 4 + size <= len(data)
    except (struct.error, ValueError):
        return False


def _end_of_header(data: bytes) -> int:
    at = 8
    while data[at : at + 1] != b"\0":
        for _ in ("name", "type"):
            at = data.index(b"\0", at) + 1
        (size,) = struct.unpack_from("<I", data, at)
        at += 4 + size
    return at + 1
