"""Second copies of slow calls, and the coordinator's view of what runs and waits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import mu
from tests.support.processes import wait_until


def slow_once(folder: str, item: int) -> int:
    """Takes very long for item 3 if nobody has tried it before."""
    first = mu.DirectoryStore(folder).put_new(f"{item}", b"")
    if item == 3 and first:
        time.sleep(100)
    return item * item


@pytest.mark.parametrize(("chunksize", "ordered"), [(1, True), (2, True), (1, False)])
def test_the_second_copy_of_a_slow_call_wins(tmp_path: Path, chunksize: int, ordered: bool) -> None:
    """If this fails, one slow worker decides when a map of thousands ends."""
    begun = time.monotonic()
    with mu.Executor(workers=2) as ex:
        found = ex.map(
            slow_once, [str(tmp_path)] * 10, range(10), hedge=0.1, chunksize=chunksize,
            ordered=ordered,
        )  # fmt: skip
        assert sorted(found) == [x * x for x in range(10)]
    # Neither the map nor the executor waits for the first copy.
    assert time.monotonic() - begun < 60


def fails_the_second_time(folder: str, item: int) -> int:
    """Item 0 fails if it has been tried before, and else waits for a file."""
    store = mu.DirectoryStore(folder)
    first = store.put_new(f"{item}", b"")
    if item == 0:
        if not first:
            raise RuntimeError("a copy")
        wait_until(lambda: store.exists("go"))
    return item


def test_a_copy_that_fails_is_forgotten(tmp_path: Path) -> None:
    """If this fails, hedging makes calls fail that would have succeeded."""
    with mu.Executor(workers=2) as ex:
        found = ex.map(fails_the_second_time, [str(tmp_path)] * 4, range(4), hedge=0.25)
        wait_until(lambda: "RuntimeError" in {one.error for one in ex.records()})
        mu.DirectoryStore(tmp_path).put("go", b"")
        assert list(found) == [0, 1, 2, 3]


def one_is_slow(comm: mu.Comm, folder: str) -> Any:
    """Rank 1 stops before it sends, in its first copy; the others wait for it."""
    comm.send(comm.rank, dest=0, tag=1)
    if comm.rank == 1 and mu.DirectoryStore(folder).put_new("begun", b""):
        time.sleep(100)
    comm.send(comm.rank * 10, dest=(comm.rank + 1) % comm.size)
    got = comm.recv(source=(comm.rank - 1) % comm.size, timeout=60)
    comm.barrier(timeout=60)
    return got


def test_a_hedged_gang_goes_on_with_a_second_copy(tmp_path: Path) -> None:
    """If this fails, a gang waits for its slowest member, or its messages arrive twice."""
    with mu.Executor(workers=4) as ex:
        assert ex.gang(one_is_slow, [str(tmp_path)] * 3, hedge=0.34) == [20, 0, 10]


def test_a_share_that_makes_no_sense_is_refused() -> None:
    """If this fails, hedge=5 for five percent copies everything."""
    with mu.Executor(workers=1) as ex, pytest.raises(ValueError, match="between 0 and 1"):
        ex.map(abs, [1], hedge=5)


def waits(comm: mu.Comm, folder: str) -> Any:
    """Rank 0 waits for rank 1, who waits for a file."""
    if comm.rank == 0:
        return comm.recv(source=1)
    wait_until(lambda: mu.DirectoryStore(folder).exists("go"))
    comm.send("went", dest=0)
    return None


def test_the_view_tells_what_runs_and_who_waits_for_whom(tmp_path: Path) -> None:
    """If this fails, nobody can see why a job does not go on."""
    import threading

    found: list[Any] = []
    with mu.Executor(workers=2) as ex:
        gang = threading.Thread(target=lambda: found.extend(ex.gang(waits, [str(tmp_path)] * 2)))
        gang.start()
        wait_until(lambda: any(one.waits_for == 1 for one in ex.tasks()))
        queued = ex.submit(abs, -1)
        first, second, waiting = ex.tasks()
        assert (first.name, first.number, first.waits_for) == ("waits", 0, 1)
        assert (second.number, second.waits_for) == (1, None)
        assert first.worker.startswith("process ")
        assert first.worker != second.worker
        assert (waiting.name, waiting.worker) == ("abs", "")
        assert waiting.since <= time.time()
        mu.DirectoryStore(tmp_path).put("go", b"")
        gang.join(60)
        assert queued.result(60) == 1
        assert ex.tasks() == []
    assert found == ["went", None]


def test_warm_workers_are_there() -> None:
    """If this fails, `warm` starts nothing, or too much is accepted."""
    with mu.Executor(workers=3) as ex:
        ex.warm()
        assert len({one.worker for one in ex.records()}) == 3
        with pytest.raises(mu.NotEnoughConcurrency):
            ex.warm(4)
    mu.warm(2, workers=2)
