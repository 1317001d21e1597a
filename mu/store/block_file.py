"""A remote file as a seekable file: it is read ahead by ranges, with a bounded cache.

A request to S3 takes about 25 ms even for a few bytes; 2 MB could arrive in that time. So a
read fetches more than it needs, and more again the longer reading goes on without a jump: a
header costs one small block, a whole film a few large ones. While reading goes on, the next
block is already on its way: so are several, once blocks are large.
"""

from __future__ import annotations

import bisect
import contextlib
import io
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import BinaryIO

_ALIGNMENT_BYTES = 64 << 10  # FFmpeg often seeks, and then goes back a little


@dataclass(slots=True)
class _Block:
    data: bytes
    step: int  # the length meant; neighbours may have left less to read

    def __len__(self) -> int:
        return len(self.data)


@dataclass(slots=True)
class _Coming:
    """A block that was asked for ahead of need."""

    length: int
    step: int
    data: Future[bytes]


class BlockFile(io.BufferedIOBase, BinaryIO):
    """A read-only binary file over ranges of bytes, for one thread at a time.

    Args:
        read_range: returns `length` bytes from `start`. `read` raises whatever it raises.
        size: of the file, bytes.
        first_block: bytes of the first block after a jump; the length then doubles.
        largest_block: most bytes of a block (up to a quarter of `first_block` more, if that
            saves a request for a small remainder).
        cache_bytes: most bytes to keep; the block read last is always kept.
        pool: what reads ahead, in threads; None reads only what is needed.
        ahead: most blocks of the largest size to have on their way.

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
        pool: Executor | None = None,
        ahead: int = 4,
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
        self._pool = pool
        self._ahead = ahead
        self._coming: dict[int, _Coming] = {}  # by start
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
        goes_on = False
        if before is not None:
            block = self._blocks[before]
            floor = before + len(block)
            if at < floor:
                self._blocks.move_to_end(before)
                return before, block.data
            goes_on = at - floor <= self._first_block  # perhaps with a short skip
            if goes_on:
                begin, step = floor, min(2 * block.step, self._largest_block)
        begin = max(begin, floor)
        limit = self._starts[place] if place < len(self._starts) else self.size
        coming = self._coming.get(begin)
        if coming is not None and at < begin + coming.length:
            end, step = begin + coming.length, coming.step
        else:
            if not goes_on:
                self._forget_coming()
            end = self._end(begin, max(begin + step, at + 1), limit)
        if goes_on:
            self._ask_ahead(end, step, limit)
        self._fetch(begin, end - begin, step)
        return begin, self._blocks[begin].data

    def _end(self, begin: int, end: int, limit: int) -> int:
        """Where a block from `begin` to about `end` ends, before other blocks and `limit`."""
        limit = min([limit, *(start for start in self._coming if start > begin)])
        return limit if limit - end < self._first_block // 4 else end

    def _ask_ahead(self, start: int, step: int, limit: int) -> None:
        """Have blocks on their way from `start` to `limit`, behind a block of size `step`."""
        if self._pool is None:
            return
        for _ in range(self._ahead if step == self._largest_block else 1):
            if start >= limit:
                return
            if start not in self._coming:
                step = min(2 * step, self._largest_block)
                length = self._end(start, start + step, limit) - start
                if self._waiting() + length + self._largest_block > self._cache_bytes:
                    return
                self._make_room(length)
                self.requests += 1
                data = self._pool.submit(self._read_range, start, length)
                self._coming[start] = _Coming(length, step, data)
            start, step = start + self._coming[start].length, self._coming[start].step

    def _waiting(self) -> int:
        return sum(one.length for one in self._coming.values())

    def _make_room(self, length: int) -> None:
        """Drop what was not used for longest, so that the cache never exceeds its bound."""
        most = self._cache_bytes - self._waiting() - length
        while self._blocks and self._cached > most:
            oldest = next(iter(self._blocks))
            self._cached -= len(self._blocks.pop(oldest))
            del self._starts[bisect.bisect_left(self._starts, oldest)]

    def _forget_coming(self) -> None:
        for one in self._coming.values():
            self.requests -= one.data.cancel()
        self._coming.clear()

    def _fetch(self, start: int, length: int, step: int) -> None:
        coming = self._coming.pop(start, None)
        self._make_room(length)
        data = None
        if coming is not None and coming.length == length:
            # What failed may have been asked for long ago: asked again, it may come.
            with contextlib.suppress(Exception):
                data = coming.data.result()
        if data is None or len(data) != length:
            self.requests += 1
            data = self._read_range(start, length)
        self.bytes_read += len(data)
        if len(data) != length:
            raise OSError(f"{len(data)} of {length} bytes came from byte {start}")
        self._blocks[start] = _Block(data, step)
        self._cached += length
        bisect.insort(self._starts, start)
