"""Gangs on the deployed stack: members that die, hang, come late, or send very much."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

import mu
from mu.engines.stack import dispatcher, workers
from mu.errors import PeerFailed, ReceiveTimeout
from tests.aws.executors import ON, TIMEOUT_S, Cloud, die, wait_for
from tests.support.processes import alive, wait_until

pytestmark = [pytest.mark.aws, pytest.mark.slow]

MESSAGES = 24


# ---- these run in the cloud; they travel by value ----


def around(comm: mu.Comm, start: int) -> tuple[int, int, list[int]]:
    """Sends to the next member, and gathers something too large for a message."""
    comm.send(start * 10, dest=(comm.rank + 1) % comm.size)
    got = comm.recv(source=(comm.rank - 1) % comm.size, timeout=60)
    comm.barrier(timeout=60)
    sizes = [len(one) for one in comm.allgather(bytes(100_000 + comm.rank), timeout=60)]
    pieces = comm.alltoall([comm.rank * 100 + peer for peer in range(comm.size)], timeout=60)
    return got, sum(pieces), sizes


def leave_early(comm: mu.Comm, item: int) -> Any:
    """One member fails, the other waits for it."""
    if item:
        raise RuntimeError("cannot go on")
    return comm.recv(source=1, timeout=60)


def message(number: int) -> Any:
    """A message: most are small, some go to the store, and one of them in parts."""
    count = 3 << 20 if number == 10 else 1 + 997 * (number % 20)
    return np.arange(count, dtype=np.uint64) + number


def nothing_more(comm: mu.Comm, source: int) -> bool:
    """Whether no other message comes."""
    try:
        comm.recv(source, timeout=0.5)
    except (ReceiveTimeout, PeerFailed):
        return True
    return False


def killed_while_sending(comm: mu.Comm, where: str, who: str) -> Any:
    """Rank 0 dies while it sends a large message, and sends all of them again."""
    if comm.rank == 0:
        first = mu.open_store(where).put_new("first", b"")
        for number in range(MESSAGES):
            if first and number == 10:
                threading.Timer(0.05, die, [who]).start()
            comm.send(message(number), dest=1)
        if first:
            time.sleep(60)
        return None
    digest = hashlib.sha256()
    for _ in range(MESSAGES):
        digest.update(comm.recv(source=0, timeout=60).tobytes())
    return digest.hexdigest(), nothing_more(comm, 0)


def killed_while_receiving(comm: mu.Comm, where: str, who: str) -> Any:
    """Rank 1 dies while it waits for a message, which comes when it waits again."""
    store = mu.open_store(where)
    if comm.rank == 0:
        comm.send("first", dest=1)
        wait_for(store, "again")
        return comm.send("second", dest=1)
    got = comm.recv(source=0, timeout=60)
    if store.put_new("waits", b""):
        threading.Timer(0.5, die, [who]).start()
    else:
        store.put("again", b"")
    return got, comm.recv(source=0, timeout=60), nothing_more(comm, 0)


def killed_in_a_barrier(comm: mu.Comm, where: str, who: str) -> Any:
    """Rank 1 dies in a barrier, to which rank 2 comes when rank 1 is back."""
    store = mu.open_store(where)
    comm.barrier(timeout=60)
    if comm.rank == 1:
        if store.put_new("waits", b""):
            threading.Timer(0.5, die, [who]).start()
        else:
            store.put("again", b"")
    if comm.rank == 2:
        wait_for(store, "again")
    store.put(f"arrived/{comm.rank}", b"")
    comm.barrier(timeout=60)
    return [store.exists(f"arrived/{rank}") for rank in range(comm.size)]


def in_one_of(comm: mu.Comm, item: tuple[str, str, str]) -> Any:
    """Is killed while it sends, receives or waits, as the item says."""
    moment, where, who = item
    kinds = {
        "sending": killed_while_sending,
        "receiving": killed_while_receiving,
        "barrier": killed_in_a_barrier,
    }
    return kinds[moment](comm, where, who)


def one_is_slow(comm: mu.Comm, where: str) -> Any:
    """Rank 1 stops before it sends, in its first copy; the others wait for it."""
    comm.send(comm.rank, dest=0, tag=1)
    if comm.rank == 1 and mu.open_store(where).put_new("begun", str(os.getpid()).encode()):
        time.sleep(600)
    comm.send(comm.rank * 10, dest=(comm.rank + 1) % comm.size)
    got = comm.recv(source=(comm.rank - 1) % comm.size, timeout=60)
    comm.barrier(timeout=60)
    return got


def note(comm: mu.Comm, where: str) -> None:
    """Notes that the user's function has begun."""
    mu.open_store(where).put(f"begun/{comm.rank}", b"")


def wait_in_a_circle(comm: mu.Comm, item: int) -> Any:
    """Waits for the next member, which does the same."""
    del item
    return comm.recv(source=(comm.rank + 1) % comm.size)


def wait_for_who_returns(comm: mu.Comm, item: int) -> Any:
    """Rank 0 waits for rank 1, which returns without a word."""
    del item
    return comm.recv(source=1) if comm.rank == 0 else None


def talk_for_long(comm: mu.Comm, where: str) -> None:
    """Talks to the others without an end."""
    mu.open_store(where).put(f"runs/{comm.rank}", b"")
    number = 0
    while True:
        number += 1
        comm.allgather(np.full(20_000, number), timeout=60)


def send_large(comm: mu.Comm, mib: int) -> Any:
    """Rank 0 sends an array of so many MiB; rank 1 says what has arrived, and changes it."""
    comm.barrier(timeout=60)
    if comm.rank == 0:
        return comm.send(np.arange(mib << 17, dtype=np.uint64), dest=1)
    array = comm.recv(source=0, timeout=300)
    same = np.array_equal(array[:: 1 << 10], np.arange(0, mib << 17, 1 << 10))
    array += 1
    return array.shape, same, int(array[-1])


class OnlyHere:
    """An argument that workers cannot unpickle."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise LookupError("only here")


# ---- gangs that go well ----


def test_a_gang_talks_through_the_store(executor: mu.Executor) -> None:
    """If this fails, workers of a stack cannot talk to each other."""
    expected = [
        (start, sum(peer * 100 + rank for peer in range(3)), [100_000, 100_001, 100_002])
        for rank, start in enumerate([20, 0, 10])
    ]
    assert executor.gang(around, range(3)) == expected


def test_a_large_message_arrives(cloud: Cloud) -> None:
    """If this fails, a large message is cut, or needs more memory than workers have."""
    mib = 1024
    with mu.Executor(ON, timeout=300) as ex:
        assert ex.gang(send_large, [mib] * 2) == [None, ((mib << 17,), True, mib << 17)]
        # Twice the message would not fit in these, and would be tried again in larger ones.
        assert [one.memory_mb for one in ex.records()] == [1769] * 2
        # A gang's messages go with it, not with its executor.
        assert not [key for key in cloud.objects(ex.job) if key.startswith("data/")]


# ---- members that die or hang ----


@pytest.mark.parametrize("who", ["process", "environment"])
@pytest.mark.parametrize(("moment", "size"), [("sending", 2), ("receiving", 2), ("barrier", 3)])
def test_a_member_that_is_killed_is_started_again(
    cloud: Cloud, moment: str, size: int, who: str
) -> None:
    """If this fails, a lost worker loses or doubles messages, or costs the work of a whole gang."""
    digest = hashlib.sha256()
    for number in range(MESSAGES):
        digest.update(message(number).tobytes())
    expected: dict[str, Any] = {
        "sending": [None, (digest.hexdigest(), True)],
        "receiving": [None, ("first", "second", True)],
        "barrier": [[True] * 3] * 3,
    }
    # These have the most memory, so that it is a retry that starts them again.
    with mu.Executor(ON, memory=3008, retries=1) as ex:
        found = ex.gang(in_one_of, [(moment, cloud.data(ex), who)] * size)
        records = ex.records()
    assert found == expected[moment]
    assert Counter(one.error for one in records) == {None: size, "WorkerDied": 1}
    assert sorted(one.attempts for one in records) == [*[1] * size, 2]
    assert {key.partition("/")[0] for key in cloud.objects(ex.job)} == {"records"}


def test_a_member_that_is_killed_too_often_is_named(cloud: Cloud) -> None:
    """If this fails, a gang hangs, or hides which death ended it."""
    with mu.Executor(ON, memory=3008) as ex, pytest.raises(mu.WorkerDied, match="SIGKILL"):
        ex.gang(in_one_of, [("sending", cloud.data(ex), "process")] * 2)


def test_a_hedged_gang_goes_on_with_a_second_copy(cloud: Cloud) -> None:
    """If this fails, a gang waits for its slowest member, or its messages arrive twice."""
    with mu.Executor(ON, workers=4) as ex:
        where = cloud.data(ex)
        assert ex.gang(one_is_slow, [where] * 3, hedge=0.34) == [20, 0, 10]
        ended = [one for one in ex.records() if one.error is None]
        assert sorted(one.number for one in ended) == [0, 1, 2]
        slow = int(mu.open_store(where).get("begun"))
        wait_until(lambda: not alive(slow), TIMEOUT_S)
        wait_until(lambda: not cloud.environments(), TIMEOUT_S)


def test_the_failure_that_came_first_is_raised(executor: mu.Executor) -> None:
    """If this fails, a member waits for one that has failed, or hides why it did."""
    with pytest.raises(mu.TaskFailed, match="cannot go on"):
        executor.gang(leave_early, [0, 1])


def test_members_that_wait_for_each_other_are_named(executor: mu.Executor) -> None:
    """If this fails, a gang that can never go on is billed until its functions' limits."""
    with pytest.raises(mu.TaskFailed, match=r"Deadlock: rank ., rank ., rank .: each waits"):
        executor.gang(wait_in_a_circle, range(3))


def test_a_member_that_waits_for_one_that_has_returned_is_named(executor: mu.Executor) -> None:
    """If this fails, a member waits for a message that nobody will send, until it is ended."""
    with pytest.raises(mu.TaskFailed, match=r"PeerFailed: rank 1, .* has returned"):
        executor.gang(wait_for_who_returns, range(2))


# ---- gangs that cannot begin ----


def test_ten_workers_do_not_begin_a_gang_of_eleven(cloud: Cloud) -> None:
    """If this fails, ten members hold workers and wait for one that can never start."""
    with mu.Executor(ON, workers=10) as ex:
        with pytest.raises(mu.NotEnoughConcurrency, match="11 cannot run at once on 10 workers"):
            ex.gang(note, [cloud.data(ex)] * 11)
        assert cloud.objects(ex.job) == []
        assert cloud.running(ex.job) == []


def test_a_gang_larger_than_the_account_does_not_begin(cloud: Cloud) -> None:
    """If this fails, an account with ten workers begins a gang of eleven."""
    functions = cloud.emulator.client("lambda")
    other = cloud.stack.function("encode")
    functions.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=990)
    try:
        with mu.Executor(ON) as ex, pytest.raises(mu.NotEnoughConcurrency, match="on 7 workers"):
            ex.gang(note, [cloud.data(ex)] * 11)
        assert cloud.objects(ex.job) == []
    finally:
        functions.delete_function_concurrency(FunctionName=other)


def test_a_gang_whose_room_others_take_does_not_begin(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, ten members run the user's function without the eleventh, or wait for ever."""
    functions = cloud.emulator.client("lambda")
    names = cloud.names()
    # Each size of a worker has two names.
    for name in names:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    try:
        with mu.Executor(ON) as ex:
            where = cloud.data(ex)
            with monkeypatch.context() as hasty:
                hasty.setattr(workers, "ROLL_CALL_S", 3.0)
                with pytest.raises(mu.NotEnoughConcurrency, match="not all 11 members"):
                    ex.gang(note, [where] * 11)
            wait_until(lambda: not cloud.environments(), TIMEOUT_S)
            assert mu.open_store(where.partition("?")[0]).list("begun/") == []
            # The executor goes on, with gangs for which there is room.
            assert ex.gang(note, [where] * 2) == [None, None]
        wait_until(lambda: not cloud.running(ex.job), TIMEOUT_S)
    finally:
        for name in names:
            functions.delete_function_concurrency(FunctionName=name)


def test_an_argument_that_does_not_arrive_is_named(executor: mu.Executor) -> None:
    """If this fails, a mistake of one member is told as a limit of the account."""
    with pytest.raises(mu.TaskFailed, match="LookupError: only here"):
        executor.gang(leave_early, [0, OnlyHere()])


# ---- the end ----


def test_a_gang_that_is_left_in_the_middle_leaves_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, Ctrl-C leaves members that talk to each other for ever, or their messages."""
    monkeypatch.setattr(dispatcher, "_ENDING_S", TIMEOUT_S)  # messages of later members would stay
    ex = mu.Executor(ON)
    where = cloud.data(ex)
    store = mu.open_store(where.partition("?")[0])

    began: list[str] = []

    def interrupt() -> None:
        try:
            wait_until(lambda: len(store.list("runs/")) == 3, TIMEOUT_S)
            began.extend(store.list("runs/"))
            time.sleep(1)
        finally:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), ex:
        ex.gang(talk_for_long, [where] * 3)
    thread.join()
    assert len(began) == 3
    assert cloud.running(ex.job) == []
    wait_until(lambda: not cloud.environments(), TIMEOUT_S)
    left = {key.partition("/")[0] for key in cloud.objects(ex.job)}
    assert left <= {"stop.json", "records"}


def test_nothing_is_left(cloud: Cloud) -> None:
    """If this fails, the tests above left members running."""
    wait_until(lambda: not cloud.environments(), TIMEOUT_S)
