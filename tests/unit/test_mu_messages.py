"""Gangs talk to each other alike over every channel."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mu import MemoryStore
from mu.errors import Deadlock, NondeterministicTask, PeerFailed, ReceiveTimeout
from mu.messages.channel import SMALL_BYTES
from mu.messages.comm import Comm
from mu.messages.opening import (
    begin_channel,
    forget_messages,
    only_workers_reach,
    open_channel,
)
from tests.support.gangs import Gang

JOBS = itertools.count()


@pytest.fixture
def gang(kind: str) -> Iterator[Gang]:
    """A gang over each channel."""
    job = f"mu/{next(JOBS)}"
    objects = MemoryStore()
    url, first = begin_channel(kind, objects, job)
    gang = Gang(lambda: open_channel(url, objects, job, "g"))
    yield gang
    for channel in gang.channels:
        channel.close()
    first.forget("g")
    if only_workers_reach(url):
        forget_messages(url, job, "g")
    assert not objects.list()
    first.close()


def test_members_send_and_receive_in_order(gang: Gang) -> None:
    """If this fails, messages with the same tag overtake each other or get lost."""

    def ring(comm: Comm) -> list[int]:
        for number in range(3):
            comm.send((comm.rank, number), dest=(comm.rank + 1) % comm.size, tag=7)
        comm.send("other", dest=(comm.rank + 1) % comm.size)
        before = (comm.rank - 1) % comm.size
        assert comm.recv(source=before) == "other"
        return [comm.recv(source=before, tag=7) for _ in range(3)]

    assert gang.run(4, ring) == [[((r - 1) % 4, n) for n in range(3)] for r in range(4)]


def test_arrays_of_any_size_arrive_and_may_be_changed(gang: Gang) -> None:
    """If this fails, large messages are cut, or received arrays are read-only."""

    def swap(comm: Comm) -> int:
        for count in (1, SMALL_BYTES, 1_000_000):
            mine = np.arange(count, dtype=np.uint16) + comm.rank
            comm.send({"a": mine, "b": [mine[::2]]}, dest=1 - comm.rank)
            found = comm.recv(source=1 - comm.rank)
            assert np.array_equal(found["a"], mine - comm.rank + (1 - comm.rank))
            assert np.array_equal(found["b"][0], found["a"][::2])
            found["a"][0] = 9
        return count

    assert gang.run(2, swap) == [1_000_000] * 2


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("length", [1, SMALL_BYTES])
def test_all_together(gang: Gang, size: int, length: int) -> None:
    """If this fails, an operation of the whole gang mixes up who gave what."""

    def all_of_them(comm: Comm) -> None:
        def given(source: int, dest: int) -> str:
            return f"{source} to {dest}" * length

        for _ in range(2):
            comm.barrier()
            objs = [given(comm.rank, dest) for dest in range(size)]
            assert comm.alltoall(objs) == [given(source, comm.rank) for source in range(size)]
            root = size - 1
            assert comm.bcast(comm.rank * 2, root) == root * 2
            gathered = comm.gather(comm.rank, root)
            assert gathered == (list(range(size)) if comm.rank == root else None)
            scattered = comm.scatter(objs if comm.rank == root else None, root)
            assert scattered == given(root, comm.rank)
            assert comm.allgather(comm.rank) == list(range(size))
            assert comm.allreduce(str(comm.rank), str.__add__) == "".join(map(str, range(size)))
            if size > 1:
                after, before = (comm.rank + 1) % size, (comm.rank - 1) % size
                assert comm.sendrecv(comm.rank, after, source=before) == before

    assert gang.run(size, all_of_them) == [None] * size


def test_nobody_passes_a_barrier_before_the_last(gang: Gang) -> None:
    """If this fails, a barrier holds nobody back."""
    arrived = []

    def late(comm: Comm) -> int:
        time.sleep(0.05 * comm.rank)
        arrived.append(comm.rank)
        comm.barrier()
        return len(arrived)

    assert gang.run(5, late) == [5] * 5


def test_a_member_that_is_started_again_sends_and_receives_the_same(gang: Gang) -> None:
    """If this fails, a worker that died takes its whole gang with it."""

    def task(comm: Comm, dies: bool = False) -> list[Any]:
        total = comm.rank
        found = []
        for step in range(3):
            comm.send(total, dest=1 - comm.rank)
            found.append(comm.recv(source=1 - comm.rank))
            total += found[-1]
            if dies and step == 1:
                raise RuntimeError("died")
        return found

    def twice(comm: Comm) -> list[Any]:
        if comm.rank == 0:
            with pytest.raises(RuntimeError):
                task(comm, dies=True)
            comm = gang.member(0, 2)
        return task(comm)

    assert gang.run(2, twice) == [[1, 1, 2], [0, 1, 2]]


def test_copies_of_a_member_at_the_same_time_do_no_harm(gang: Gang) -> None:
    """If this fails, a second copy of a slow member spoils what the first sends or receives."""

    def task(comm: Comm) -> list[Any]:
        found: list[Any] = []
        for step in range(12):
            array = np.full(1 if step % 3 else SMALL_BYTES, step + comm.rank)
            comm.send(array, dest=(comm.rank + 1) % comm.size)
            found.append(int(comm.recv(source=(comm.rank - 1) % comm.size).sum()))
            found.append(comm.alltoall([(step, comm.rank, dest) for dest in range(comm.size)]))
        comm.barrier()
        return found

    size, copies = 3, 3
    with ThreadPoolExecutor(size * copies) as pool:
        members = [gang.member(rank, size) for rank in range(size) for _ in range(copies)]
        found = list(pool.map(task, members))
    for rank in range(size):
        first, *others = found[rank * copies : (rank + 1) * copies]
        assert others == [first] * (copies - 1)
        assert first[-1] == [(11, peer, rank) for peer in range(size)]


def test_of_many_writers_one_wins(gang: Gang) -> None:
    """If this fails, two receivers of one message get different ones."""
    channels = [gang.connect() for _ in range(8)]
    together = threading.Barrier(8)

    def write(number: int) -> bool:
        together.wait()
        try:
            channels[number].put("g/a", b"%d" % number * 1000)
        except NondeterministicTask:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        (winner,) = [number for number, won in enumerate(pool.map(write, range(8))) if won]
    assert {channel.get("g/a") for channel in channels} == {b"%d" % winner * 1000}


def test_many_messages_are_asked_for_together(gang: Gang) -> None:
    """If this fails, a channel mixes up the answers to questions that were asked together."""
    channel = gang.connect()
    for key in ("g/1", "g/3"):
        channel.put(key, key.encode())
    assert channel.get_all(["g/3", "g/2", "g/1"]) == [b"g/3", None, b"g/1"]
    assert channel.get_all(["g/2"]) == [None]


def test_what_is_forgotten_is_that_gang_alone(gang: Gang) -> None:
    """If this fails, the end of one gang takes the messages of another, or leaves its own."""
    channel = gang.connect()
    for key in ("g/1", "g/2/a", "g2/1", "h/g/1"):
        channel.put(key, key.encode())
    channel.note("g/note", b"n")
    channel.forget("g")
    assert [channel.get(key) for key in ("g/1", "g/note")] == [None, None]
    assert [channel.get(key) for key in ("g2/1", "h/g/1")] == [b"g2/1", b"h/g/1"]
    channel.put("g/1", b"another")
    for folder in ("g", "g/2", "g2", "h/g"):
        channel.forget(folder)


def test_two_attempts_that_differ_are_found_out(gang: Gang) -> None:
    """If this fails, receivers get the messages of one attempt or of another by chance."""
    gang.member(0, 2).send([1, 2], dest=1)
    again = gang.member(0, 2)
    with pytest.raises(NondeterministicTask, match="must send the same bytes"):
        again.send([1, 3], dest=1)
    assert gang.member(1, 2).recv(source=0) == [1, 2]


def test_a_receiver_gives_up_in_time_and_can_ask_again(gang: Gang) -> None:
    """If this fails, a time limit is not kept, or loses the message that came late."""
    sender, receiver = gang.member(0, 2), gang.member(1, 2)
    with pytest.raises(ReceiveTimeout, match=r"rank 1 got nothing from rank 0 in 0\.05 s"):
        receiver.recv(source=0, timeout=0.05)
    with pytest.raises(TimeoutError):
        receiver.barrier(timeout=0)
    sender.send("late", dest=1)
    assert receiver.recv(source=0, timeout=5) == "late"


def test_receivers_of_a_member_that_has_ended_are_told(gang: Gang) -> None:
    """If this fails, a gang hangs when a member fails for good, or returns too early."""

    def task(comm: Comm) -> Any:
        if comm.rank == 0:
            comm.send("before", dest=1)
            raise ValueError("bad block")
        if comm.rank == 1:
            return [comm.recv(source=0), comm.recv(source=0)]
        return comm.recv(source=3) if comm.rank == 2 else None

    _, second, third, _ = gang.run(4, task)
    assert (type(second), second.rank) == (PeerFailed, 0)
    assert "rank 0, from which a message is due, has failed: bad block" in str(second)
    assert "has returned" in str(third)
    assert gang.member(1, 4).recv(source=0) == "before"


def test_members_that_wait_in_a_circle_are_told(gang: Gang) -> None:
    """If this fails, a gang that waits for itself hangs until its time limit."""

    def circle(comm: Comm) -> Any:
        if comm.rank == 3:
            time.sleep(2)
            return comm.send("late, but it comes", dest=0)
        if comm.rank == 0:
            comm.recv(source=3)
        return comm.recv(source=(comm.rank + 1) % 3)

    found = gang.run(4, circle)
    assert any(isinstance(one, Deadlock) for one in found[:3])
    assert all(isinstance(one, Deadlock | PeerFailed) for one in found[:3])
    assert found[3] is None
    named = next(str(one) for one in found if isinstance(one, Deadlock))
    assert all(f"rank {rank}" in named for rank in range(3))
    assert "each waits for the next" in named


def test_a_member_is_a_rank_of_the_gang(gang: Gang) -> None:
    """If this fails, a wrong rank waits for ever instead of being refused."""
    comm = gang.member(0, 2)
    for wrong in (-1, 2):
        with pytest.raises(ValueError, match="no rank"):
            comm.send(1, dest=wrong)
        with pytest.raises(ValueError, match="no rank"):
            comm.recv(source=wrong)
    with pytest.raises(ValueError, match="one object for each of 2 members"):
        comm.alltoall([1])
