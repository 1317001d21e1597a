"""A remote file as a seekable file: it is read ahead by ranges, with a bounded cache.

A request to S3 takes about 25 ms even for a few bytes; 2 MB could arrive in that time. So a
read fetches more than it needs, and more again the longer reading goes on without a jump: a
header costs one small block, a whole film a few large ones.
"""

from __future__ import annotations

import bisect
import io
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

_ALIGNMENT_BYTES = 64 << 10  # FFmpeg often seeks, and then goes back a little


@dataclass(slots=True)
class _Block:
    data: bytes
    step: int  # the length meant; neighbours may have left less to read

    def __len__(self) -> int:
        return len(self.data)


class BlockFile(io.BufferedIOBase, BinaryIO):
    """A read-only binary file over ranges of bytes, for one thread at a time.

    Args:
        read_range: returns `length` bytes from `start`. `read` raises whatever it raises.
        size: of the file, bytes.
        first_block: bytes of the first block after a jump; the length then doubles.
        largest_block: most bytes of a block (up to a quarter of `first_block` more, if that
            saves a request for a small remainder).
        cache_bytes: most bytes to keep; the block read last is always kept.

    Attributes:
        requests: calls of `read_range` so far.
        bytes_read: bytes they returned.
    """

    def __init__(
        self,
        read_range: Callable[[int, int], bytes],
        size: int,
        *,
        first_block: int = 512 << 10,
        largest_block: int = 8 << 20,
        cache_bytes: int = 32 << 20,
    ) -> None:
        super().__init__()
        self.size = size
        self.requests = 0
        self.bytes_read = 0
        self._read_range = read_range
        self._first_block = first_block
        self._largest_block = max(first_block, largest_block)
        self._cache_bytes = cache_bytes
        self._cached = 0
        self._blocks: OrderedDict[int, _Block] = OrderedDict()  # by start, last used last
        self._starts: list[int] = []  # of the same blocks, in order
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Where the next read starts."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a position, which may lie beyond the end; makes no request."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._at = base + offset
        return self._at

    def read(self, count: int | None = -1, /) -> bytes:
        """Read `count` bytes, fewer only at the end; -1 or None reads all that are left.

        Raises:
            OSError: a range came back with another length than requested.
        """
        left = max(0, self.size - self._at)
        if count is not None and count >= 0:
            left = min(left, count)
        parts: list[memoryview] = []
        at = self._at
        while left:
            start, data = self._block_with(at)
            part = memoryview(data)[at - start : at - start + left]
            parts.append(part)
            at += len(part)
            left -= len(part)
        self._at = at
        return b"".join(parts)

    def _block_with(self, at: int) -> tuple[int, bytes]:
        """The block that holds the byte `at`, and where it starts."""
        place = bisect.bisect_right(self._starts, at)
        before = self._starts[place - 1] if place else None
        begin, step, floor = at - at % _ALIGNMENT_BYTES, self._first_block, 0
        if before is not None:
            block = self._blocks[before]
            floor = before + len(block)
            if at < floor:
                self._blocks.move_to_end(before)
                return before, block.data
            if at - floor <= self._first_block:  # reading goes on, perhaps with a short skip
                begin, step = floor, min(2 * block.step, self._largest_block)
        begin = max(begin, floor)
        limit = self._starts[place] if place < len(self._starts) else self.size
        end = max(begin + step, at + 1)
        if limit - end < self._first_block // 4:
            end = limit
        self._fetch(begin, end - begin, step)
        return begin, self._blocks[begin].data

    def _fetch(self, start: int, length: int, step: int) -> None:
        # Make room first, so that the cache never exceeds its bound.
        while self._blocks and self._cached + length > self._cache_bytes:
            oldest = next(iter(self._blocks))
            self._cached -= len(self._blocks.pop(oldest))
            del self._starts[bisect.bisect_left(self._starts, oldest)]
        self.requests += 1
        data = self._read_range(start, length)
        self.bytes_read += len(data)
        if len(data) != length:
            raise OSError(f"{len(data)} of {length} bytes came from byte {start}")
        self._blocks[start] = _Block(data, step)
        self._cached += length
        bisect.insort(self._starts, start)
