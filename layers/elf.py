"""Takes out of a program file what no loader reads: symbols, debug information, section headers.

Written here because a machine's `strip` knows its own processor only, and LLVM 14's moves segments
that patchelf added to where no loader takes them. A loader needs the file header, the program
headers, and the bytes of the loadable segments. Those segments keep their addresses; they are
moved together in the file, each to an offset that equals its address modulo its alignment.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import NamedTuple

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little endian
_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_LOAD = 1


class _FileHeader(NamedTuple):
    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class _Segment(NamedTuple):
    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int

    def holds(self, other: _Segment) -> bool:
        """Whether this segment contains all bytes of another one in the file."""
        start = other.vaddr - self.vaddr
        return start >= 0 and start + other.filesz <= self.filesz


def strip(data: bytes) -> bytes:
    """Return the file without what no loader reads.

    Args:
        data: any file. What is not an ELF file, or is laid out unusually, comes back unchanged.
    """
    if not data.startswith(_MAGIC):
        return data
    header = _FileHeader(*_FILE_HEADER.unpack_from(data))
    segments = _segments(data, header)
    loads = sorted((one for one in segments if one.type == _LOAD), key=lambda one: one.offset)
    if not _usual(header, segments, loads):
        return data
    packed, offsets = _pack(data, loads)
    _FILE_HEADER.pack_into(packed, 0, *header._replace(shoff=0, shnum=0, shstrndx=0))
    for index, segment in enumerate(segments):
        place = header.phoff + index * _PROGRAM_HEADER.size
        moved = segment._replace(offset=_moved(segment, offsets))
        _PROGRAM_HEADER.pack_into(packed, place, *moved)
    return bytes(packed)


def _segments(data: bytes, header: _FileHeader) -> list[_Segment]:
    table = data[header.phoff : header.phoff + header.phnum * _PROGRAM_HEADER.size]
    return [_Segment(*fields) for fields in _PROGRAM_HEADER.iter_unpack(table)]


def _usual(header: _FileHeader, segments: list[_Segment], loads: list[_Segment]) -> bool:
    """Return whether everything lies in loadable segments that do not overlap."""
    if not loads or loads[0].offset or header.phentsize != _PROGRAM_HEADER.size:
        return False
    # The program headers stay where they are: before everything that moves.
    if header.phoff + header.phnum * header.phentsize > loads[0].filesz:
        return False
    apart = all(a.offset + a.filesz <= b.offset for a, b in pairwise(loads))
    inside = all(
        not segment.filesz or any(load.holds(segment) for load in loads) for segment in segments
    )
    return apart and inside


def _pack(data: bytes, loads: list[_Segment]) -> tuple[bytearray, dict[_Segment, int]]:
    packed = bytearray()
    offsets: dict[_Segment, int] = {}
    for load in loads:
        packed += bytes((load.vaddr - len(packed)) % max(load.align, 1))
        offsets[load] = len(packed)
        packed += data[load.offset : load.offset + load.filesz]
    return packed, offsets


def _moved(segment: _Segment, offsets: dict[_Segment, int]) -> int:
    """Return a segment's new offset; one without bytes in the file needs none."""
    if segment.type == _LOAD:
        return offsets[segment]
    for load, offset in offsets.items():
        if segment.filesz and load.holds(segment):
            return offset + segment.vaddr - load.vaddr
    return segment.offset
