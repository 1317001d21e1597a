"""Many calls, copies that both end, lack of memory and cancelled maps, on one machine."""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from pathlib import Path

import pytest

import mu
from mu import DirectoryStore, Executor, TaskFailed
from tests.support.processes import alive, wait_until


def square(x: int) -> int:
    return x * x


def is_first(folder: Path, item: int) -> bool:
    """Whether nobody has run this item before."""
    return DirectoryStore(folder).put_new(f"{item}", b"")


def end_together(folder: Path, item: int) -> int:
    """Ends when two copies of item 1 run; others end at once."""
    if item == 1:
        first = DirectoryStore(folder).put_new("one", b"")
        (folder / "begun" if first else folder / "two").touch()
        wait_until((folder / "two").exists)
    return 10 * item


def take(count: int) -> int:
    """Takes memory."""
    return len(bytearray(count))


def note_and_sleep(folder: Path, item: int, seconds: float) -> int:
    """If it takes a while, notes which process runs it."""
    if seconds:
        (folder / str(os.getpid())).touch()
        time.sleep(seconds)
    return item


@pytest.mark.slow
def test_many_items_have_one_result_each() -> None:
    """If this fails, a map of a hundred thousand loses items, or gives some twice."""
    with Executor(workers=2) as executor:
        found = executor.map(square, range(100_000), chunksize=100, ordered=False)
        assert sorted(found) == [x * x for x in range(100_000)]


def test_a_thousand_tiny_tasks_run_once_each(tmp_path: Path) -> None:
    """If this fails, small calls are lost, run again without need, or counted twice."""
    with Executor(workers=2, retries=2) as executor:
        found = list(executor.map(functools.partial(is_first, tmp_path), range(1000)))
        records = executor.records()
    assert found == [True] * 1000
    assert Counter((one.error, one.attempts) for one in records) == {(None, 1): 1000}
    assert len({one.number for one in records}) == 1000


def test_two_copies_of_a_call_that_both_end_give_one_result(tmp_path: Path) -> None:
    """If this fails, hedging gives a result twice, or waits for whom nobody wants."""
    with Executor(workers=2) as executor:
        call = functools.partial(end_together, tmp_path)
        found = list(executor.map(call, range(4), hedge=0.25, ordered=False))
        assert sorted(found) == [0, 10, 20, 30]
        assert {one.number for one in executor.records() if one.error is None} == {0, 1, 2, 3}


def test_a_call_that_lacks_memory_is_named() -> None:
    """If this fails, lack of memory ends a worker, or other calls with it."""
    with Executor(workers=1, retries=1) as executor:
        failed = executor.submit(take, 1 << 60).exception()
        assert isinstance(failed, TaskFailed)
        assert (failed.error, failed.attempts) == ("MemoryError", 2)
        assert executor.submit(take, 1 << 10).result() == 1 << 10


def test_a_program_without_its_output_delivers_nothing(tmp_path: Path) -> None:
    """If this fails, a job ends well without a result, or with a half of it."""
    (tmp_path / "in.txt").write_text("text")
    half = mu.Command(["cp", mu.input("in"), mu.output("a")], stdout=mu.output("b"))
    less = mu.Command(["true", mu.input("in"), mu.output("a")], stdout=mu.output("b"))
    for command, names in ((less, set()), (half, {"in.a", "in.b"})):
        with Executor(workers=1, retries=1) as executor:
            into = f"{tmp_path}/out/{{stem}}.{{output}}"
            (done,) = executor.map(
                command, [f"{tmp_path}/in.txt"], into=into, return_exceptions=True
            )
        if not names:
            assert isinstance(done, TaskFailed)
            assert (done.error, done.attempts) == ("OutputMissing", 2)
            assert "true did not write a" in done.message
        assert {path.name for path in (tmp_path / "out").glob("*")} == names


def test_leaving_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """If this fails, Ctrl-C leaves calls running, or gives results that nobody asked for."""
    given = []

    def interrupted() -> None:
        with Executor(workers=3) as executor:
            seconds = [0.0] * 4 + [600.0] * 20
            for item in executor.map(
                note_and_sleep, [tmp_path] * 24, range(24), seconds, ordered=False
            ):
                given.append(item)
                if len(given) == 4:
                    wait_until(lambda: len(running()) == 3)
                    raise KeyboardInterrupt

    def running() -> list[str]:
        return [noted.name for noted in tmp_path.iterdir() if alive(int(noted.name))]

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sorted(given) == [0, 1, 2, 3]
    assert running() == []
