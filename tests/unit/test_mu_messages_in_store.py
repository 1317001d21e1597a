"""What messages in a store cost: how many objects are written and asked for, how many at once."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from mu import MemoryStore
from mu.errors import ReceiveTimeout
from mu.messages import in_store
from mu.messages.channel import SMALL_BYTES
from mu.messages.comm import Comm
from mu.messages.in_store import StoreChannel
from mu.messages.on_machine import MessageHub, SocketChannel
from mu.store.protocol import REQUESTS_AT_ONCE
from tests.support.clocks import Clock
from tests.support.gangs import Gang


def test_a_channel_in_a_store_asks_for_exact_keys_and_less_and_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a gang that waits lists a bucket, or pays for a question at every moment."""

    class Counting(MemoryStore):
        asked = 0

        def get(self, key: str) -> bytes:
            type(self).asked += 1
            return super().get(key)

        def list(self, prefix: str = "", **which: Any) -> list[str]:
            raise AssertionError("listed")

    monkeypatch.setattr(in_store, "time", Clock())
    channel = StoreChannel(Counting(), "p")
    assert channel.wait("key", 1.0) is None
    assert 5 < Counting.asked < 25
    # As a member waits: a little while, then again.
    asked = Counting.asked
    for _ in range(4):
        assert channel.wait("key", 0.25) is None
    assert 4 <= Counting.asked - asked <= 10


@pytest.mark.parametrize("size", [2, 5])
def test_an_exchange_writes_one_object_for_each_member(size: int) -> None:
    """If this fails, a shuffle among many pays for the square of them in objects."""

    class Counting(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.made: Counter[str] = Counter()

        def exists(self, key: str) -> bool:
            self.made["exists"] += 1
            return super().exists(key)

        def concat(self, *arguments: Any, **named: Any) -> int:
            self.made["concat"] += 1
            return super().concat(*arguments, **named)

        def get_writable(self, key: str, start: int, length: int) -> bytearray:
            self.made["get_writable"] += 1
            return super().get_writable(key, start, length)

    def task(comm: Comm) -> Any:
        return comm.alltoall([bytes([comm.rank, dest]) * SMALL_BYTES for dest in range(size)])

    store = Counting()
    with MessageHub() as hub:
        gang = Gang(lambda: SocketChannel(hub.path))
        gang.store = store
        found = gang.run(size, task)
        assert found[1] == [bytes([source, 1]) * SMALL_BYTES for source in range(size)]
        assert store.made == {"exists": size, "concat": size, "get_writable": size * size}
        assert len(store.list()) == size
        for channel in gang.channels:
            channel.close()


class Together(MemoryStore):
    """A store that answers certain questions only once so many of them are asked together."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.waits = threading.Barrier(REQUESTS_AT_ONCE)
        self.slow = re.compile("nothing")

    def _answer(self, key: str) -> None:
        self.asked.append(key)
        if self.slow.search(key):
            self.waits.wait(60)

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        self._answer(key)
        return super().get(key)

    def get_writable(self, key: str, start: int, length: int) -> bytearray:
        """See `Store.get_writable`."""
        self._answer(key)
        found = super().look_up(key).data
        return bytearray(found[start : start + length])


def exchange(operation: str, size: int, length: int) -> tuple[Together, Callable[[], list[Any]]]:
    """An operation in which all members but the last have given; and what the last one does."""
    store = Together()

    def take_part(rank: int, timeout: float | None = None) -> Any:
        comm = Comm(StoreChannel(store, "m"), store, "g", rank, size)
        given = bytes([rank]) * length
        match operation:
            case "gather":
                return comm.gather(given, size - 1, timeout)
            case "allgather":
                return comm.allgather(given, timeout)
        return comm.alltoall([given] * size, timeout)

    for rank in range(size - 1):
        with contextlib.suppress(ReceiveTimeout):
            take_part(rank, 0)
    store.asked.clear()
    return store, lambda: take_part(size - 1)


@pytest.mark.parametrize("operation", ["gather", "allgather", "alltoall"])
def test_the_last_member_asks_for_many_at_the_same_time(operation: str) -> None:
    """If this fails, the last of 1,000 waits for 1,000 answers of S3, one after the other."""
    # It asks for 1, 2, 4 and 8; then for as many as may be under way.
    size = 15 + 2 * REQUESTS_AT_ONCE
    store, take_part = exchange(operation, size, 8)
    tail = "|".join(str(rank) for rank in range(15, size))
    store.slow = re.compile(rf"/({tail})-\w+-{operation}-0$")
    assert take_part() == [bytes([rank]) * 8 for rank in range(size)]
    assert len(store.asked) == size, "asked for the same twice"
    assert sum(bool(store.slow.search(key)) for key in store.asked) == 2 * REQUESTS_AT_ONCE


@pytest.mark.parametrize("operation", ["gather", "allgather", "alltoall"])
def test_large_payloads_are_fetched_at_the_same_time(operation: str) -> None:
    """If this fails, 1,000 large messages in S3 are fetched one after the other."""
    size = REQUESTS_AT_ONCE
    store, take_part = exchange(operation, size, SMALL_BYTES)
    store.slow = re.compile("payloads/")
    assert take_part() == [bytes([rank]) * SMALL_BYTES for rank in range(size)]
    assert sum("payloads/" in key for key in store.asked) == size
    assert len(store.asked) == 2 * size


@pytest.mark.parametrize("seed", range(6))
def test_members_ask_little_in_vain(seed: int) -> None:
    """If this fails, members of a large gang pay for the square of their number in questions."""
    size = 100
    random = Random(seed)
    # After how many waits each message is there; in the first gang one after the other.
    arrives = [random.randrange(size * seed // 5 + 1) if seed else n + 1 for n in range(size)]

    class Arriving(StoreChannel):
        asked, missed, waited = 0, 0, 0

        def get(self, key: str) -> bytes | None:
            rank = int(key.split("/")[1].split("-")[0])
            return super().get(key) if arrives[rank] <= self.waited else None

        def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
            found = [self.get(key) for key in keys]
            self.asked += len(keys)
            self.missed += sum(one is None for one in found)
            return found

        def wait(self, key: str, timeout_s: float) -> bytes | None:
            del timeout_s
            while (found := self.get(key)) is None:
                self.waited += 1
            return found

    store = MemoryStore()
    for rank in range(size - 1):
        with contextlib.suppress(ReceiveTimeout):
            Comm(StoreChannel(store, "m"), store, "g", rank, size).allgather(rank, timeout=0)
    channel = Arriving(store, "m")
    comm = Comm(channel, store, "g", size - 1, size)
    assert comm.allgather(size - 1) == list(range(size))
    assert size <= channel.asked
    assert channel.missed <= size + channel.waited
    if not seed:
        assert (channel.asked, channel.missed) == (size, size)


def test_keys_begin_differently_so_that_s3_can_spread_them() -> None:
    """If this fails, all of a job's messages go to one part of S3, which then slows them down."""
    store = MemoryStore()
    channel = StoreChannel(store, "mu/1/messages")
    for number in range(256):
        channel.put(f"gangs/0/{number}-{number + 1}-0-0", b"")
    begins = {key.removeprefix("mu/1/messages/")[:2] for key in store.list()}
    assert len(begins) > 100
