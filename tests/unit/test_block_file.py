"""Files read by ranges: the right bytes for any pattern, in few requests and bounded memory."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mu.store.block_file import BlockFile

KIB, MIB = 1 << 10, 1 << 20


def pattern(size: int) -> bytes:
    """Bytes of which no long run occurs twice."""
    return (b"".join(n.to_bytes(4, "big") for n in range(size // 4 + 1)))[:size]


def ranges_of(data: bytes, log: list[range] | None = None) -> Callable[[int, int], bytes]:
    """A `read_range` over bytes that rejects what a real one could not answer."""

    def read_range(start: int, length: int) -> bytes:
        assert 0 <= start < start + length <= len(data)
        if log is not None:
            log.append(range(start, start + length))
        return data[start : start + length]

    return read_range


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 400_000)),
        st.tuples(st.just("set"), st.integers(0, 1_100_000)),
        st.tuples(st.just("on"), st.integers(-100_000, 300_000)),
        st.tuples(st.just("end"), st.integers(-400_000, 1000)),
    ),
    max_size=30,
)
CONTENT = pattern(1_000_000)


@given(
    steps=STEPS,
    size=st.sampled_from([0, 1, 2, 65_535, 65_536, 65_537, 131_072, 700_001, 1_000_000]),
    first=st.sampled_from([1, 1000, 65_536, 100_000]),
    cache=st.sampled_from([0, 70_000, 300_000, 10_000_000]),
)
def test_any_pattern_gives_the_bytes_of_a_file(
    steps: list[tuple[str, int]], size: int, first: int, cache: int
) -> None:
    """If this fails, a source in S3 decodes to something else than the same file on a disk."""
    data = CONTENT[:size]
    log: list[range] = []
    plain = io.BytesIO(data)
    blocks = BlockFile(
        ranges_of(data, log), size, first_block=first, largest_block=4 * first, cache_bytes=cache
    )
    whence = {"set": os.SEEK_SET, "on": os.SEEK_CUR, "end": os.SEEK_END}
    for kind, number in steps:
        if kind == "read":
            if first == 1:
                number = min(number, 500) if number >= 0 else 500
            assert blocks.read(number) == plain.read(number)
        else:
            base = {"set": 0, "on": plain.tell(), "end": size}[kind]
            if base + number >= 0:
                assert blocks.seek(number, whence[kind]) == plain.seek(number, whence[kind])
        assert blocks.tell() == plain.tell()
    assert blocks.requests == len(log)
    assert blocks.bytes_read == sum(map(len, log))
    if cache == 10_000_000:
        assert len({byte for part in log for byte in part[::1000]}) == sum(
            len(part[::1000]) for part in log
        )


class AtOnce(Executor):
    """Does what it is given before it returns, as if all had come in time; counts it."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function."""
        self.count += 1
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@given(
    steps=STEPS,
    size=st.sampled_from([0, 1, 65_537, 131_072, 700_001, 1_000_000]),
    first=st.sampled_from([1000, 65_536]),
    cache=st.sampled_from([0, 70_000, 300_000, 10_000_000]),
)
def test_reading_ahead_gives_the_same_bytes(
    steps: list[tuple[str, int]], size: int, first: int, cache: int
) -> None:
    """If this fails, a block that was asked for ahead stands in the wrong place."""
    plain = io.BytesIO(CONTENT[:size])
    with ThreadPoolExecutor(2) as pool:
        blocks = BlockFile(
            ranges_of(CONTENT[:size]), size, first_block=first, largest_block=4 * first,
            cache_bytes=cache, pool=pool,
        )  # fmt: skip
        whence = {"set": os.SEEK_SET, "on": os.SEEK_CUR, "end": os.SEEK_END}
        for kind, number in steps:
            base = {"set": 0, "on": plain.tell(), "end": size, "read": 0}[kind]
            if kind == "read":
                assert blocks.read(number) == plain.read(number)
            elif base + number >= 0:
                assert blocks.seek(number, whence[kind]) == plain.seek(number, whence[kind])


def test_reading_on_never_waits_for_more_than_the_first_blocks() -> None:
    """If this fails, a film in S3 is read by one request after another."""
    data = pattern(64 * MIB)
    pool = AtOnce()
    blocks = BlockFile(ranges_of(data), len(data), cache_bytes=48 * MIB, pool=pool)
    for at in range(0, len(data), 32 * KIB):
        assert blocks.read(32 * KIB) == data[at : at + 32 * KIB]
    assert blocks.requests - pool.count == 2
    assert blocks.bytes_read == len(data)
    blocks.seek(3 * MIB)  # no longer in the cache: a jump asks for nothing ahead
    before = pool.count
    blocks.read(32 * KIB)
    assert pool.count == before


def test_what_failed_ahead_is_asked_for_again() -> None:
    """If this fails, a connection that broke while a function slept fails its next call."""
    data = pattern(4 * MIB)
    broken = {MIB // 2 + MIB}

    def read_range(start: int, length: int) -> bytes:
        if start in broken:
            broken.remove(start)
            raise OSError("reset by peer")
        return data[start : start + length]

    assert BlockFile(read_range, len(data), pool=AtOnce()).read() == data
    assert not broken


@pytest.mark.parametrize("size", [0, 1])
def test_the_smallest_files(size: int) -> None:
    """If this fails, an empty upload ends in an impossible request."""
    blocks = BlockFile(ranges_of(pattern(size)), size)
    assert blocks.seek(0, os.SEEK_END) == size
    assert blocks.read(10) == b""
    blocks.seek(0)
    assert blocks.read() == pattern(size)
    assert blocks.read() == b""
    assert blocks.requests == size


def test_nothing_is_fetched_twice_while_it_fits() -> None:
    """If this fails, bytes are paid for more than once."""
    data = pattern(3 * MIB)
    log: list[range] = []
    blocks = BlockFile(ranges_of(data, log), len(data))
    for start in (2 * MIB, 0, MIB, 2 * MIB - 1, 5, 3 * MIB - 10, 100 * KIB, MIB - 100 * KIB):
        blocks.seek(start)
        blocks.read(700 * KIB)
    parts = sorted(log, key=lambda part: part.start)
    assert all(a.stop <= b.start for a, b in pairwise(parts))


def test_reading_on_takes_ever_larger_blocks_and_a_jump_a_small_one() -> None:
    """If this fails, a whole film costs thousands of requests, or a look at it megabytes."""
    data = bytes(64 * MIB)
    log: list[range] = []
    blocks = BlockFile(ranges_of(data, log), len(data))
    while blocks.read(32 * KIB):
        pass
    assert len(log) <= 4 + 64 // 8 + 1
    assert max(map(len, log)) <= 8 * MIB + 128 * KIB
    blocks.seek(3 * MIB)  # no longer in the cache
    blocks.read(32 * KIB)
    assert len(log[-1]) == 512 * KIB


@pytest.mark.parametrize("ahead", [False, True])
def test_the_cache_is_bounded(ahead: bool) -> None:
    """If this fails, reading a long film through fills the memory of its worker."""
    held = 0

    class Counted(bytes):
        def __del__(self) -> None:
            nonlocal held
            held -= len(self)

    most = 0

    def read_range(start: int, length: int) -> bytes:
        nonlocal held, most
        held += length
        most = max(most, held)
        return Counted(length)

    blocks = BlockFile(read_range, 300 * MIB, pool=AtOnce() if ahead else None)
    while blocks.read(MIB):
        pass
    assert most <= 33 * MIB


def test_two_places_read_in_turn_keep_their_blocks() -> None:
    """If this fails, sound stored far from its pictures makes every read a request."""
    data = bytes(64 * MIB)
    blocks = BlockFile(ranges_of(data), len(data))
    for number in range(64):
        for base in (0, 40 * MIB):
            blocks.seek(base + number * 64 * KIB)
            blocks.read(64 * KIB)
    assert blocks.requests <= 2 * 4


@pytest.mark.parametrize("change", [-1, +1, -512 * KIB])
def test_a_range_of_another_length_is_an_error_that_may_pass(change: int) -> None:
    """If this fails, a broken connection puts garbage into a film."""
    data = bytes(4 * MIB)
    broken = True

    def read_range(start: int, length: int) -> bytes:
        return bytes(length + change) if broken else data[start : start + length]

    blocks = BlockFile(read_range, len(data))
    with pytest.raises(OSError, match="bytes came"):
        blocks.read(100)
    broken = False
    assert blocks.tell() == 0
    assert blocks.read(100) == bytes(100)


def test_errors_of_the_transport_come_out_as_they_are() -> None:
    """If this fails, a replaced object is taken for a passing fault and read again and again."""

    class Replaced(Exception):
        pass

    def read_range(start: int, length: int) -> bytes:
        raise Replaced

    with pytest.raises(Replaced):
        BlockFile(read_range, 10).read(1)


def test_places_before_the_start_are_refused() -> None:
    """If this fails, a wrong seek reads from somewhere else."""
    blocks = BlockFile(ranges_of(b"abc"), 3)
    with pytest.raises(ValueError, match="negative"):
        blocks.seek(-1)
    with pytest.raises(ValueError, match="negative"):
        blocks.seek(-4, os.SEEK_END)
