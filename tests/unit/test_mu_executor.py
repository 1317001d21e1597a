"""Functions on the processes of this machine, as `concurrent.futures` has them."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu import Comm, Executor, NotEnoughConcurrency, TaskFailed, TaskTimeout, WorkerDied
from tests.support.processes import alive, wait_until


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """An executor with two workers."""
    with Executor(workers=2) as made:
        yield made


def divide(a: float, b: float) -> float:
    return a / b


class CannotTravel(Exception):
    """An exception that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("it stays here")
        self.lock = threading.Lock()


class CannotArrive(Exception):
    """An exception that can be pickled, but not unpickled."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def stay() -> None:
    raise CannotTravel


def get_lost() -> None:
    raise CannotArrive(1, 2)


def test_a_function_runs_elsewhere_and_its_result_comes_back(executor: Executor) -> None:
    """If this fails, nothing runs on workers."""
    future = executor.submit(divide, 6, b=4)
    assert future.result(timeout=60) == 1.5
    assert (future.done(), future.running(), future.cancel()) == (True, False, False)
    assert executor.submit(os.getpid).result() != os.getpid()
    assert isinstance(future, concurrent.futures.Future)


def test_functions_travel_with_what_they_refer_to(executor: Executor) -> None:
    """If this fails, lambdas, closures and functions of scripts cannot be used."""
    factor = 3
    assert executor.submit(lambda x: x * factor, 14).result() == 42

    def fibonacci(n: int) -> int:
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert list(executor.map(fibonacci, range(10))) == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]


def test_arrays_travel_whole_and_can_be_changed(executor: Executor) -> None:
    """If this fails, large arguments or results are cut, or read-only."""

    def double(array: Any) -> Any:
        array *= 2
        return array

    given = np.arange(3_000_000, dtype=np.float64)
    result = executor.submit(double, given).result()
    assert np.array_equal(result, given * 2)
    result[0] = 7


def test_map_gives_results_in_order_or_as_they_come(executor: Executor, tmp_path: Path) -> None:
    """If this fails, results are mixed up, lost or given twice."""
    expected = [pow(x, 2, 7) for x in range(100)]
    for chunksize in (1, 7, 1000):
        found = executor.map(pow, range(100), [2] * 100, [7] * 100, chunksize=chunksize)
        assert list(found) == expected

    def late(x: int) -> int:
        if x == 0:
            wait_until((tmp_path / "go").exists)
        return x

    results, found = executor.map(late, range(6), ordered=False), []
    for x in results:
        found.append(x)
        if len(found) == 5:
            (tmp_path / "go").touch()
    assert sorted(found) == list(range(6))
    assert found[-1] == 0
    assert list(executor.map(pow, [], [])) == []


def test_a_failure_is_told_with_its_traceback(executor: Executor) -> None:
    """If this fails, a user cannot tell what went wrong in a worker."""
    with pytest.raises(TaskFailed, match="task divide failed: ZeroDivisionError") as failed:
        executor.submit(divide, 1, 0).result()
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    assert "return a / b" in failed.value.details
    assert (failed.value.attempts, failed.value.error) == (1, "ZeroDivisionError")


def test_an_exception_that_cannot_travel_arrives_all_the_same(executor: Executor) -> None:
    """If this fails, a worker's error becomes an error about pickling."""
    with pytest.raises(TaskFailed, match="CannotTravel: it stays here") as failed:
        executor.submit(stay).result()
    assert "raise CannotTravel" in failed.value.details
    assert failed.value.__cause__ is None
    with pytest.raises(TaskFailed, match="CannotArrive: 1 and 2") as failed:
        executor.submit(get_lost).result()
    assert failed.value.__cause__ is None
    with pytest.raises(TaskFailed, match="cannot pickle"):
        executor.submit(threading.Lock).result()
    with pytest.raises(TypeError, match="cannot pickle"):
        executor.submit(divide, threading.Lock())


class OnlyThere:
    """Refuses to be unpickled where it was not made."""

    def __reduce__(self) -> Any:
        return _refuse, (os.getpid(),)


def _refuse(made_in: int) -> None:
    raise LookupError(f"made in {made_in}")


def test_a_result_that_cannot_arrive_is_a_failure(executor: Executor) -> None:
    """If this fails, one strange result hangs the executor and all who wait for it."""
    with pytest.raises(TaskFailed, match="LookupError: made in"):
        executor.submit(OnlyThere).result(timeout=60)
    assert executor.submit(divide, 1, 2).result(timeout=60) == 0.5


def test_a_failure_among_many_leaves_the_others(executor: Executor) -> None:
    """If this fails, one bad item spoils those that travelled with it, or the whole map."""
    found = list(
        executor.map(divide, [1] * 5, [1, 2, 0, 4, 5], chunksize=3, return_exceptions=True)
    )
    assert (found[:2], found[3:]) == ([1, 0.5], [0.25, 0.2])
    assert isinstance(found[2], TaskFailed)
    results = executor.map(divide, [1] * 5, [1, 2, 0, 4, 5])
    assert [next(results), next(results)] == [1, 0.5]
    with pytest.raises(TaskFailed):
        next(results)


def test_only_what_failed_is_tried_again(tmp_path: Path) -> None:
    """If this fails, a retry repeats work, or a passing fault ends a job."""

    def flaky(x: int) -> int:
        with (tmp_path / f"{x}").open("a") as file:
            file.write(".")
        if x % 2 and (tmp_path / f"{x}").stat().st_size < 3:
            raise OSError("come back later")
        return x

    with Executor(workers=2, retries=2) as executor:
        assert list(executor.map(flaky, range(6), chunksize=3)) == list(range(6))
    assert [(tmp_path / f"{x}").stat().st_size for x in range(6)] == [1, 3, 1, 3, 1, 3]

    def never() -> None:
        raise OSError("never")

    with Executor(workers=1, retries=1) as executor:
        (failed,) = executor.map(lambda _: never(), [0], return_exceptions=True)
    assert "after 2 attempts: OSError: never" in str(failed)


def die_if(x: int, who: int) -> int:
    if x == who:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def test_a_killed_worker_takes_no_other_call_with_it() -> None:
    """If this fails, one call that runs out of memory ends the others, or the executor."""
    with Executor(workers=2) as executor:
        found = list(executor.map(die_if, range(8), [5] * 8, chunksize=4, return_exceptions=True))
        assert found[:5] + found[6:] == [0, 1, 2, 3, 4, 6, 7]
        assert isinstance(found[5], WorkerDied)
        assert "SIGKILL" in str(found[5])
        assert executor.submit(divide, 1, 2).result() == 0.5


def test_a_call_that_takes_too_long_is_ended() -> None:
    """If this fails, a call that hangs hangs the caller."""
    with Executor(workers=1, timeout=3.5) as executor:
        with pytest.raises(TaskTimeout, match=r"took longer than 3\.5 s"):
            executor.submit(time.sleep, 60).result(timeout=60)
        assert executor.submit(pow, 2, 3).result() == 8
        found = list(executor.map(time.sleep, [0, 60], chunksize=2, return_exceptions=True))
    assert found[0] is None
    assert isinstance(found[1], TaskTimeout)


def note_and_sleep(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(60)


def test_cancel_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    """If this fails, work that nobody wants goes on."""
    with Executor(workers=1) as executor:
        running = executor.submit(note_and_sleep, tmp_path)
        waiting = executor.submit(note_and_sleep, tmp_path)
        wait_until(lambda: list(tmp_path.iterdir()))
        assert running.running()
        assert not waiting.running()
        assert waiting.cancel()
        assert running.cancel()
        assert running.cancel()
        done, left = concurrent.futures.wait([running, waiting], timeout=30)
        assert (len(done), len(left)) == (2, 0)
        with pytest.raises(concurrent.futures.CancelledError):
            running.result()
        assert executor.submit(divide, 1, 2).result(timeout=30) == 0.5
    (noted,) = tmp_path.iterdir()
    assert not alive(int(noted.name))


def test_an_error_in_the_block_ends_what_runs(tmp_path: Path) -> None:
    """If this fails, Ctrl-C waits for the work that it should end, or leaves it behind."""
    executor = Executor(workers=2)
    futures = [executor.submit(note_and_sleep, tmp_path) for _ in range(3)]

    def interrupted() -> None:
        with executor:
            wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(future.cancelled() for future in futures)
    assert not any(alive(int(noted.name)) for noted in tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(divide, 1, 2)


def test_a_map_that_is_left_ends_the_rest(tmp_path: Path) -> None:
    """If this fails, leaving a loop over results early leaves their work running."""
    with Executor(workers=2) as executor:
        results = executor.map(lambda x: note_and_sleep(tmp_path) if x else x, range(9))
        assert next(results) == 0
        wait_until(lambda: len(list(tmp_path.iterdir())) >= 1)
        del results
    assert not any(alive(int(noted.name)) for noted in tmp_path.iterdir())


def test_a_map_gives_up_in_time(executor: Executor) -> None:
    """If this fails, a time limit for a whole map is not kept."""
    for ordered in (True, False):
        with pytest.raises(TimeoutError):
            list(executor.map(time.sleep, [0, 60], timeout=0.3, ordered=ordered))
    with pytest.raises(ValueError, match="at least 1"):
        executor.map(divide, [1], [1], chunksize=0)


def test_shutdown_may_be_left_to_a_thread(tmp_path: Path) -> None:
    """If this fails, calls that were not waited for are lost."""
    executor = Executor(workers=1)
    future = executor.submit(lambda: (tmp_path / "done").touch())
    executor.shutdown(wait=False)
    assert future.result(timeout=30) is None
    assert (tmp_path / "done").exists()
    wait_until(lambda: all(thread.name != "mu shutdown" for thread in threading.enumerate()))


def test_a_script_may_map_its_own_functions(tmp_path: Path) -> None:
    """If this fails, functions of the user's own script cannot be found on workers."""
    script = tmp_path / "script.py"
    script.write_text(
        "import mu\n"
        "class Point:\n"
        "    def __init__(self, x): self.x = x\n"
        "def move(point): return Point(point.x + 1)\n"
        "with mu.Executor(workers=1) as ex:\n"
        "    print([point.x for point in ex.map(move, map(Point, range(3)))])\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[1, 2, 3]\n"


def stencil(comm: Comm, block: list[float], steps: int = 20) -> list[float]:
    """Averages neighbours in a ring of blocks."""
    for step in range(steps):
        comm.send(block[-1], dest=(comm.rank + 1) % comm.size, tag=step)
        before = comm.recv(source=(comm.rank - 1) % comm.size, tag=step, timeout=30)
        block = [(a + b) / 2 for a, b in itertools.pairwise([before, *block])]
    comm.barrier()
    return block


def test_a_gang_runs_at_once_and_its_members_talk(kind: str) -> None:
    """If this fails, tasks that need each other cannot run."""
    values = [float(x % 7) for x in range(24)]
    ring = list(values)
    for _ in range(20):
        ring = [(ring[i - 1] + ring[i]) / 2 for i in range(24)]
    with Executor(workers=4, channel=kind) as executor:
        blocks = executor.gang(stencil, [values[i : i + 6] for i in range(0, 24, 6)])
        assert list(itertools.chain(*blocks)) == ring
        assert executor.gang(stencil, []) == []


def test_a_gang_that_is_too_large_does_not_begin(tmp_path: Path) -> None:
    """If this fails, a few members wait for others that can never start."""
    with (
        Executor(workers=2) as executor,
        pytest.raises(NotEnoughConcurrency, match="a gang of 3 cannot run at once on 2 workers"),
    ):
        executor.gang(lambda comm, _: (tmp_path / str(comm.rank)).touch(), range(3))
    assert not list(tmp_path.iterdir())


def test_two_gangs_at_once_do_not_block_each_other(kind: str) -> None:
    """If this fails, two gangs get half of their members each, and wait for ever."""
    with (
        Executor(workers=3, channel=kind) as executor,
        concurrent.futures.ThreadPoolExecutor(4) as threads,
    ):
        single = [executor.submit(time.sleep, 0.05) for _ in range(6)]
        gangs = [
            threads.submit(executor.gang, lambda comm, x: comm.allreduce(x, max), range(size))
            for size in (2, 3, 2, 3)
        ]
        assert [gang.result(timeout=60) for gang in gangs] == [[1] * 2, [2] * 3, [1] * 2, [2] * 3]
        assert [one.result() for one in single] == [None] * 6


def test_a_member_that_is_killed_is_started_again(tmp_path: Path, kind: str) -> None:
    """If this fails, one lost worker costs the work of a whole gang."""

    def member(comm: Comm, where: str) -> list[int]:
        found = []
        for step in range(4):
            comm.send(10 * comm.rank + step, dest=1 - comm.rank)
            if comm.rank == 0 and where == "sent" and step == 2 and not (tmp_path / where).exists():
                (tmp_path / where).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            found.append(comm.recv(source=1 - comm.rank))
        if where == "barrier" and comm.rank == 1 and not (tmp_path / where).exists():
            (tmp_path / where).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        comm.barrier()
        return found

    with Executor(workers=2, retries=1, channel=kind) as executor:
        for where in ("sent", "barrier"):
            expected = [[10, 11, 12, 13], [0, 1, 2, 3]]
            assert executor.gang(member, [where] * 2) == expected
            assert (tmp_path / where).exists()


def test_a_member_that_fails_for_good_ends_the_gang_under_its_own_name(kind: str) -> None:
    """If this fails, a gang hangs, or reports that a peer failed instead of why."""

    def member(comm: Comm, bad: bool) -> Any:
        if bad:
            raise ValueError("bad block")
        return comm.recv(source=comm.size - 1)

    with Executor(workers=3, channel=kind) as executor:
        with pytest.raises(TaskFailed, match="ValueError: bad block"):
            executor.gang(member, [False, False, True])
        with pytest.raises(TaskFailed, match="Deadlock"):
            executor.gang(lambda comm, _: comm.recv(source=1 - comm.rank), range(2))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"workers": 0}, "workers is at least 1, not 0"),
        ({"memory": 0}, "memory is at least 1"),
        ({"per_worker": 0}, "per_worker is at least 1"),
        ({"retries": -1}, "retries is at least 0"),
        ({"timeout": 0}, "seconds above 0"),
        ({"on": "stack:Some", "store": object()}, "stack:Some has a store of its own"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any], why: str) -> None:
    """If this fails, an option does something else than it says, or nothing, in silence."""
    with pytest.raises(ValueError, match=why):
        Executor(**wrong)


def test_options_of_a_stack_are_taken_here() -> None:
    """If this fails, a program for a stack has to be changed to be tried on one machine."""
    with Executor(workers=1, memory=3008, per_worker=2, architecture="arm64") as executor:
        assert executor.submit(pow, 2, 3).result() == 8
