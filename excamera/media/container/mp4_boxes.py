"""Boxes of ISO base media files (ISO/IEC 14496-12): size, type and body; tables of samples."""

from __future__ import annotations

import itertools
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence

WORD = 0xFFFFFFFF
"""The greatest number of 32 bits."""

UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""The matrix that changes nothing."""


def box(kind: str, *bodies: bytes) -> bytes:
    """A box with its bodies joined."""
    body = b"".join(bodies)
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def full(kind: str, *bodies: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *bodies)


def words(*numbers: int) -> bytes:
    """Unsigned numbers of 32 bits."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def halves(*numbers: int) -> bytes:
    """Unsigned numbers of 16 bits."""
    return struct.pack(f">{len(numbers)}H", *numbers)


def media_data_head(size: int) -> bytes:
    """The head of the box of media data, of 16 bytes if the data needs it."""
    if 8 + size > WORD:
        return struct.pack(">I4sQ", 1, b"mdat", 16 + size)
    return struct.pack(">I4s", 8 + size, b"mdat")


def runs_of(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """How many equal numbers follow each other, and which."""
    return ((sum(1 for _ in same), number) for number, same in itertools.groupby(numbers))


def _table(kind: str, pairs: Iterable[tuple[int, ...]]) -> bytes:
    rows = list(pairs)
    return full(kind, words(len(rows)), _big_endian(itertools.chain.from_iterable(rows)))


def _big_endian(numbers: Iterable[int]) -> bytes:
    found = array("I", numbers)
    if sys.byteorder == "little":
        found.byteswap()
    return found.tobytes()


def time_to_sample(durations: Iterable[int]) -> bytes:
    """How long each sample lasts, in order of decoding."""
    return _table("stts", runs_of(durations))


def composition_offsets(offsets: Sequence[int]) -> bytes:
    """How much later than it is decoded each sample is shown; nothing if at once."""
    return _table("ctts", runs_of(offsets)) if any(offsets) else b""


def sync_samples(keys: Sequence[int], count: int) -> bytes:
    """Numbers, from 0, of the samples that are key frames; nothing if all are."""
    if len(keys) == count:
        return b""
    return full("stss", words(len(keys)), _big_endian(number + 1 for number in keys))


def sample_sizes(sizes: Sequence[int]) -> bytes:
    """The size of each sample."""
    return full("stsz", words(0, len(sizes)), _big_endian(sizes))


def samples_of_chunks(counts: Iterable[int]) -> bytes:
    """How many samples each chunk has."""
    rows = []
    first = 1
    for chunks, samples in runs_of(counts):
        rows.append((first, samples, 1))
        first += chunks
    return _table("stsc", rows)


def chunk_offsets(offsets: Sequence[int], *, wide: bool) -> bytes:
    """Where each chunk begins in the file; `wide` if some do behind 4 GiB."""
    if wide:
        return full("co64", words(len(offsets)), struct.pack(f">{len(offsets)}Q", *offsets))
    return full("stco", words(len(offsets)), _big_endian(offsets))


def descriptor(tag: int, *bodies: bytes) -> bytes:
    """A descriptor of MPEG-4 Systems (ISO/IEC 14496-1), which has a size of seven bits a byte."""
    body = b"".join(bodies)
    size = [len(body) & 0x7F]
    while len(body) >> 7 * len(size):
        size.append(len(body) >> 7 * len(size) & 0x7F | 0x80)
    return bytes([tag, *reversed(size)]) + body


def language(code: str) -> int:
    """ISO 639-2 as a media header has it: three letters of five bits; what is none is `und`."""
    letters = code.lower()
    if len(letters) != 3 or not all("a" <= letter <= "z" for letter in letters):
        letters = "und"
    first, second, third = (ord(letter) - 0x60 for letter in letters)
    return first << 10 | second << 5 | third
