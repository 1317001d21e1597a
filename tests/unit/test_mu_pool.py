"""The pool below executors and flows: what is sent ahead, what is left behind, who is charged."""

from __future__ import annotations

import contextlib
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

import mu
from mu import Executor, TaskFailed, TaskTimeout, WorkerDied
from mu.engines.machine import pool as pools
from mu.engines.machine import processes, wire
from mu.machine import children
from mu.packing import joined, pack, unpack
from tests.support.processes import alive, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["nursery", "spawner"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start as on Linux, then as elsewhere."""
    if request.param == "spawner":
        monkeypatch.setattr(pools, "processes", lambda _modules: processes.Spawner())


def note(folder: Path, name: str, seconds: float = 0.0) -> str:
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return name


def note_and_wait(folder: Path, name: str, until: Path) -> str:
    note(folder, name)
    wait_until(until.exists)
    return name


def noted(folder: Path) -> dict[str, list[int]]:
    """Which processes have run a call, by its name; none of a call that is about to write it."""
    written = {path.name: path.read_text().split() for path in folder.iterdir()}
    return {name: [int(line) for line in lines] for name, lines in written.items() if lines}


@pytest.mark.usefixtures("_both_ways")
def test_what_waits_behind_a_long_call_goes_to_a_free_worker(tmp_path: Path) -> None:
    """If this fails, short calls wait for a long one while a worker has nothing to do."""
    with Executor(workers=2) as executor:
        assert list(executor.map(abs, range(50))) == list(range(50))
        held = [executor.submit(note, tmp_path, f"long{n}", 60) for n in range(2)]
        wait_until(lambda: len(noted(tmp_path)) == 2)
        short = [executor.submit(note, tmp_path, f"short{n}") for n in range(8)]
        assert not any(future.running() for future in short)
        assert held[0].cancel()
        assert [future.result(timeout=60) for future in short] == [f"short{n}" for n in range(8)]
        assert held[1].running()
        assert held[1].cancel()
    times = {name: len(pids) for name, pids in noted(tmp_path).items()}
    assert times == dict.fromkeys(["long0", "long1", *(f"short{n}" for n in range(8))], 1)


@pytest.mark.usefixtures("_both_ways")
def test_a_call_that_was_sent_ahead_can_be_cancelled(tmp_path: Path) -> None:
    """If this fails, a cancelled call runs all the same, or its worker is stopped for nothing."""
    notes, go = tmp_path / "notes", tmp_path / "go"
    notes.mkdir()
    with Executor(workers=1) as executor:
        executor.submit(note, notes, "first").result(timeout=60)
        running = executor.submit(note_and_wait, notes, "running", go)
        ahead = [executor.submit(note, notes, f"ahead{n}") for n in range(8)]
        wait_until(lambda: "running" in noted(notes))
        assert [future.cancel() for future in ahead[::2]] == [True] * 4
        go.touch()
        assert running.result(timeout=60) == "running"
        assert [future.result(timeout=60) for future in ahead[1::2]] == [
            f"ahead{n}" for n in (1, 3, 5, 7)
        ]
    found = noted(notes)
    assert sorted(found) == ["ahead1", "ahead3", "ahead5", "ahead7", "first", "running"]
    assert len({pid for pids in found.values() for pid in pids}) == 1


@pytest.mark.usefixtures("_both_ways")
def test_a_dead_worker_or_a_late_call_costs_only_what_had_begun(tmp_path: Path) -> None:
    """If this fails, calls fail, or count as tried, because of one that ran before them."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def tell(name: str, seconds: float = 0.0) -> None:  # its worker need not import this module
        with open(f"{tmp_path}/{name}", "a") as file:  # noqa: PTH123
            file.write(f"{os.getpid()}\n")
        time.sleep(seconds)

    with Executor(workers=1, timeout=6.0) as executor:
        for end, error in ((die, WorkerDied), (lambda: time.sleep(60), TaskTimeout)):
            executor.submit(tell, "warm").result(timeout=60)
            bad = executor.submit(end)
            # Each takes less than its limit, but not all of them together.
            after = [executor.submit(tell, f"{error.__name__}{n}", 0.9) for n in range(7)]
            with pytest.raises(error) as failed:
                bad.result(timeout=60)
            assert failed.value.attempts == 1
            for future in after:
                future.result(timeout=60)
    found = noted(tmp_path)
    del found["warm"]
    assert all(len(pids) == 1 for pids in found.values())
    assert len(found) == 14


@pytest.mark.usefixtures("_both_ways")
def test_a_gang_waits_behind_no_call_that_came_later(tmp_path: Path) -> None:
    """If this fails, a member sits behind a call, while the others wait for it."""
    notes, go = tmp_path / "notes", tmp_path / "go"
    notes.mkdir()

    def largest(comm: mu.Comm, x: int) -> Any:
        return comm.allreduce(x, max)

    with Executor(workers=2) as executor:
        list(executor.map(abs, range(20)))
        before = [executor.submit(note_and_wait, notes, f"before{n}", go) for n in range(8)]
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append(executor.gang(largest, [1, 2])))
        thread.start()
        # Both members wait before the call comes that is to wait for them.
        wait_until(lambda: sum("largest" in one.name for one in executor.tasks()) == 2)
        after = executor.submit(lambda: (note(notes, "after"), sorted(noted(notes))))
        go.touch()
        thread.join(60)
        assert got == [[2, 2]]
        assert len(after.result(timeout=60)[1]) == 9
        assert all(future.done() for future in before)


def test_calls_of_many_threads_are_answered_and_some_are_cancelled() -> None:
    """If this fails, the pool loses calls, gives results to others, or hangs."""
    with Executor(workers=3) as executor:
        wrong: list[Any] = []

        def ask(number: int) -> None:
            for turn in range(60):
                futures = [executor.submit(pow, number, 1 + n) for n in range(5)]
                if turn % 4 == number % 4:
                    futures[turn % 5].cancel()
                for n, future in enumerate(futures):
                    if not future.cancelled() and future.result(timeout=60) != number ** (1 + n):
                        wrong.append((number, turn, n))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
        assert wrong == []
        assert executor.submit(pow, 2, 3).result(timeout=60) == 8


def test_leaving_a_long_map_ends_soon() -> None:
    """If this fails, leaving a map early starts what is to be cancelled, or takes for ever."""
    with Executor(workers=2) as executor:
        results = executor.map(time.sleep, [0.0] + [60.0] * 5000)
        assert next(results) is None
        before = time.monotonic()
        del results
        assert executor.submit(abs, -1).result(timeout=60) == 1
        assert time.monotonic() - before < 30


def test_chunks_are_kept_apart_from_their_failures() -> None:
    """If this fails, results of items that travelled together are mixed up or lost."""

    def odd(x: int) -> int:
        if x == 41:
            os.kill(os.getpid(), signal.SIGKILL)
        if x % 10 == 3:
            raise ValueError(x)
        return x

    with Executor(workers=2) as executor:
        for ordered in (True, False):
            found = list(
                executor.map(odd, range(60), chunksize=8, ordered=ordered, return_exceptions=True)
            )
            failed = [one for one in found if isinstance(one, TaskFailed)]
            assert sorted(one.error for one in failed) == ["ValueError"] * 6 + ["WorkerDied"]
            good = [one for one in found if not isinstance(one, TaskFailed)]
            assert sorted(good) == [x for x in range(60) if x % 10 != 3 and x != 41]
            if ordered:
                assert [one if isinstance(one, int) else None for one in found] == [
                    None if x % 10 == 3 or x == 41 else x for x in range(60)
                ]


LEAVES = """
import os, subprocess, sys, time
child = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(300)"
for name, kept in (("same", False), ("other", True)):
    subprocess.Popen(
        [sys.executable, "-c", child, os.path.join(sys.argv[1], name)], start_new_session=kept
    )
while not all(os.path.exists(os.path.join(sys.argv[1], n)) for n in ("same", "other")):
    time.sleep(0.01)
open(os.path.join(sys.argv[1], "program"), "w").write(str(os.getpid()))
time.sleep(300)
"""


def started(folder: Path) -> list[int]:
    """The program and its two children, once they run."""

    def there() -> bool:
        return all(
            (folder / name).exists() and (folder / name).read_text()
            for name in ("same", "other", "program")
        )

    wait_until(there)
    return [int((folder / name).read_text()) for name in ("same", "other", "program")]


@pytest.mark.skipif(sys.platform != "linux", reason="needs child subreapers")
def test_a_killed_worker_leaves_nothing_of_its_command(tmp_path: Path) -> None:
    """If this fails, a worker killed for lack of memory leaves programs running for ever."""
    command = mu.Command([sys.executable, "-c", LEAVES, str(tmp_path)])
    with Executor(workers=1) as executor:
        outcomes = executor.map(command, [{}], return_exceptions=True)
        left = started(tmp_path)
        worker = int(Path(f"/proc/{left[2]}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(worker, signal.SIGKILL)
        (outcome,) = outcomes
        assert isinstance(outcome, WorkerDied)
        assert "SIGKILL" in str(outcome)
        # Nothing is left by the time that anybody hears of the worker's end.
        assert not any(alive(pid) for pid in left)


@pytest.mark.skipif(sys.platform != "linux", reason="needs child subreapers")
def test_a_killed_program_leaves_nothing_of_its_commands(tmp_path: Path) -> None:
    """If this fails, a user's script that is killed leaves programs running for ever."""
    script = (
        "import sys, mu\n"
        "command = mu.Command([sys.executable, '-c', sys.argv[1], sys.argv[2]])\n"
        "with mu.Executor(workers=1) as executor: list(executor.map(command, [{}]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, LEAVES, str(tmp_path)], cwd=ROOT) as one:
        left = started(tmp_path)
        nurseries = children(one.pid)
        one.kill()
    wait_until(lambda: not any(alive(pid) for pid in (*left, *nurseries)), 30)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no nursery elsewhere")
def test_a_pool_outlives_its_nursery(tmp_path: Path) -> None:
    """If this fails, one killed process ends an executor, or leaves its workers behind."""
    with Executor(workers=2) as executor:
        worker = executor.submit(os.getpid).result(timeout=60)
        (nursery,) = {child for child in children(os.getpid()) if worker in children(child)}
        os.kill(nursery, signal.SIGKILL)
        wait_until(lambda: not alive(nursery))
        held = executor.submit(note, tmp_path, "held", 60)
        other = executor.submit(note, tmp_path, "other", 0.5)
        assert other.result(timeout=60) == "other"
        assert held.cancel()
        assert executor.submit(abs, -1).result(timeout=60) == 1
    wait_until(lambda: not any(alive(pid) for pids in noted(tmp_path).values() for pid in pids))


def test_no_process_is_left(tmp_path: Path) -> None:
    """If this fails, every executor leaves a process behind."""
    before = children(os.getpid())

    def meet(_: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        return os.getpid()

    with Executor(workers=2) as executor:
        pids = set(executor.map(meet, range(8)))
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)
    assert children(os.getpid()) <= before


def test_a_call_and_its_answer_are_put_together_from_pieces() -> None:
    """If this fails, messages are cut, mixed up or lost between the pool and its workers."""
    ours, theirs = wire.socket.socketpair()
    sizes = [0, 1, 100, 65_000, 70_000, 5, 300_000, 3, 3, 3, 1 << 21, 0]

    def write() -> None:
        with contextlib.closing(theirs):
            for number, size in enumerate(sizes):
                wire.send(theirs, {"n": number} if number % 2 else {}, [bytes([number]) * size])

    with ours:
        writer = threading.Thread(target=write)
        writer.start()
        receiver, found = wire.Receiver(ours), []
        with contextlib.suppress(EOFError):
            while True:
                found += receiver.receive_some() if len(found) % 3 else [receiver.receive()]
        writer.join(30)
    assert [(head, len(body)) for head, body in found] == [
        ({"n": number} if number % 2 else {}, size) for number, size in enumerate(sizes)
    ]
    assert all(set(body) <= {number} for number, (_, body) in enumerate(found))
    assert not any(body.readonly for _, body in found)


SCRIPT = """
import enum, functools, os, mu

class Colour(enum.Enum):
    RED = 1

class Point:
    def __init__(self, x): self.x = x
    def move(self, by): return Point(self.x + by)

class Bad(Exception): pass

def apply(thing, *rest):
    if thing is Bad: raise Bad("no")
    return [{"deep": (thing, [Point(1), Colour.RED, Point])}]

def of_deep(thing): return thing["f"][0](2)

def double(x): return x * 2

if __name__ == "__main__":
    with mu.Executor(workers=1) as ex:
        (found,) = ex.submit(apply, Point(3)).result()
        point, (other, colour, cls) = found["deep"]
        assert (type(point), point.x, other.x, colour, cls) == (Point, 3, 1, Colour.RED, Point)
        assert ex.submit(of_deep, {"f": [double]}).result() == 4
        assert ex.submit(of_deep, {"f": [functools.partial(pow, 3)]}).result() == 9
        assert ex.submit(Point(1).move, 2).result().x == 3
        assert ex.submit(functools.partial(double, 4)).result() == 8
        assert ex.submit(map, double, [1, 2]).exception() is None or True
        assert list(ex.map(double, ["__main__", "x"])) == ["__main__" * 2, "xx"]
        failed = ex.submit(apply, Bad).exception()
        assert type(failed.__cause__) is Bad, failed
    print("well")
"""


def test_what_a_script_holds_travels_by_value_wherever_it_is(tmp_path: Path) -> None:
    """If this fails, a script's own classes and functions are not found on workers."""
    (tmp_path / "script.py").write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr) == ("well\n", "")


def test_arrays_of_a_script_are_packed_once_and_can_be_changed() -> None:
    """If this fails, arrays beside something of a script arrive twice, or read-only."""
    array = np.arange(10)

    def local() -> int:
        return 3

    found, function, text = unpack(bytearray(joined(pack((array, local, "__main__")))))
    found[0] = 5
    assert (found.sum(), function(), text) == (50, 3, "__main__")


@pytest.fixture
def _by_value() -> Iterator[None]:
    """A module that the user wants to travel by value."""
    import cloudpickle

    from tests.support import processes as module

    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.mark.usefixtures("_by_value")
def test_modules_that_travel_by_value_still_do() -> None:
    """If this fails, a user's own modules are looked for where they are not installed."""
    assert b"_make_function" in joined(pack([wait_until]))
