"""Calls and workers on the deployed stack that fail: nothing is lost, doubled or left behind."""

from __future__ import annotations

import functools
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import mu
from emulator.excamera.synthesis import STACK
from mu.engines.stack import deployment, dispatcher
from mu.engines.stack.deployment import Deployment
from mu.engines.stack.job import Job
from tests.aws.executors import ON, TIMEOUT_S, Cloud, die, square, wait_for
from tests.support.processes import alive, wait_until

pytestmark = [pytest.mark.aws, pytest.mark.slow]


# ---- these run in the cloud; they travel by value ----


def count_bytes(megabytes: int) -> int:
    """Takes memory."""
    return len(bytearray(megabytes << 20))


def die_first(where: str, who: str, item: int) -> int:
    """Notes that it has begun; item 3 does not survive its first attempt."""
    first = mu.open_store(where).put_new(f"begun/{item}", b"")
    if item == 3 and first:
        die(who)
    return item


def is_first(where: str, item: int) -> bool:
    """Whether nobody has run this item before."""
    return mu.open_store(where).put_new(f"begun/{item}", b"")


def end_together(where: str, item: int) -> int:
    """Ends when two copies of item 1 run; others end at once."""
    store = mu.open_store(where)
    if item == 1:
        if not store.put_new("one", b""):
            store.put("two", b"")
        wait_for(store, "two")
    return 10 * item


def note_and_sleep(where: str, item: int, seconds: float) -> int:
    """If it takes a while, notes which process runs it."""
    if seconds:
        mu.open_store(where).put(f"runs/{item}", str(os.getpid()).encode())
        time.sleep(seconds)
    return item


def slow_first(where: str, item: int) -> bool:
    """Item 0 takes its time."""
    time.sleep(18 if item == 0 else 0)
    return is_first(where, item)


# ---- many calls ----


def test_a_thousand_tiny_tasks_run_once_each(cloud: Cloud) -> None:
    """If this fails, small calls are lost, run again without need, or counted twice."""
    with mu.Executor(ON, workers=6, retries=2) as ex:
        where = cloud.data(ex)
        assert list(ex.map(functools.partial(is_first, where), range(1000))) == [True] * 1000
        records = ex.records()
        assert len(mu.open_store(where).list("begun/")) == 1000
    assert Counter((one.error, one.attempts) for one in records) == {(None, 1): 1000}
    assert len({one.number for one in records}) == 1000
    assert {key.partition("/")[0] for key in cloud.objects(ex.job)} == {"records"}


# ---- workers that die ----


def test_a_call_that_lacks_memory_gets_more(executor: mu.Executor) -> None:
    """If this fails, a task that needs more than the smallest worker never succeeds."""
    assert executor.submit(count_bytes, 2200).result(TIMEOUT_S) == 2200 << 20
    sizes = [one.memory_mb for one in executor.records() if one.name == "count_bytes"]
    assert sizes == [1769, 3008]
    failed = executor.submit(count_bytes, 4000).exception(TIMEOUT_S)
    assert isinstance(failed, mu.TaskFailed)
    assert failed.error == "MemoryError"


@pytest.mark.parametrize("who", ["process", "environment"])
def test_a_killed_worker_is_noticed_and_its_call_tried_again(cloud: Cloud, who: str) -> None:
    """If this fails, a call whose worker is gone is lost, or waited for for ever."""
    with mu.Executor(ON) as ex:
        # With more memory, which needs no retries: it may have been for lack of it.
        assert ex.submit(die_first, cloud.data(ex), who, 3).result(TIMEOUT_S) == 3
        records = ex.records()
        assert [(one.error, one.attempts) for one in records] == [("WorkerDied", 1), (None, 2)]


@pytest.mark.parametrize(("who", "again"), [("process", {3}), ("environment", set(range(6)))])
def test_those_that_share_a_killed_worker_are_not_lost(
    cloud: Cloud, who: str, again: set[int]
) -> None:
    """If this fails, one call takes others along, or they use up retries for it."""
    with mu.Executor(ON, workers=1, per_worker=6, memory=3008, retries=1) as ex:
        call = functools.partial(die_first, cloud.data(ex), who)
        assert list(ex.map(call, range(6))) == list(range(6))
        died = [one for one in ex.records() if one.error is not None]
        assert {one.error for one in died} <= {"WorkerDied"}
        assert {one.number for one in died} <= again
        assert sorted(one.number for one in ex.records() if one.error is None) == list(range(6))


# ---- a call that runs twice ----


def test_a_share_that_is_run_twice_counts_once(cloud: Cloud) -> None:
    """If this fails, what Lambda runs twice has two results, or its cost is counted twice."""
    with mu.Executor(ON) as ex, ThreadPoolExecutor(1) as thread:
        where, gave = cloud.data(ex), []
        future = ex.submit(end_together, where, 1)
        future.add_done_callback(lambda done: gave.append(done.result()))
        wait_until(lambda: mu.open_store(where).exists("one"), TIMEOUT_S)
        (share,) = mu.open_store(f"s3://{cloud.bucket}").list(f"mu/{ex.job}/shares/")
        event = {"job": ex.job, "share": share.rpartition("/")[2], "slots": 1}
        functions = cloud.emulator.client("lambda")
        second = thread.submit(
            functions.invoke, FunctionName=cloud.names()[0], Payload=json.dumps(event)
        )
        answer = json.loads(second.result(TIMEOUT_S)["Payload"].read())
        assert answer == {"calls": 1, "ended": 1}
        assert future.result(TIMEOUT_S) == 10
        # While others run, the second outcome is read and forgotten.
        assert ex.submit(square, 3).result(TIMEOUT_S) == 9
        assert gave == [10]
        assert [one.error for one in ex.records()] == [None, None]
        assert ex.cost() == sum(one.dollars for one in ex.records())
    assert {key.partition("/")[0] for key in cloud.objects(ex.job)} == {"records"}


def test_two_copies_of_a_call_that_both_end_give_one_result(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, hedging gives a result twice, or waits for whom nobody wants."""
    monkeypatch.setattr(dispatcher, "_ENDING_S", TIMEOUT_S)  # objects of later workers would stay
    with mu.Executor(ON, workers=3) as ex:
        call = functools.partial(end_together, cloud.data(ex))
        found = list(ex.map(call, range(4), hedge=0.25, ordered=False))
        assert sorted(found) == [0, 10, 20, 30]
        ended = Counter(one.number for one in ex.records() if one.error is None)
        assert set(ended) == {0, 1, 2, 3}
        assert {number for number, times in ended.items() if times > 1} <= {1}
    assert {key.partition("/")[0] for key in cloud.objects(ex.job)} <= {"records", "stop.json"}


# ---- calls that do not end, or end without what they should leave ----


def test_a_stuck_call_is_ended(cloud: Cloud) -> None:
    """If this fails, a call that hangs is billed until its function's own limit."""
    # Long enough to open the store and note that it runs, even on a busy machine.
    with mu.Executor(ON, timeout=15) as ex:
        future = ex.submit(note_and_sleep, cloud.data(ex), 0, 600)
        wait_until(lambda: mu.open_store(cloud.data(ex)).exists("runs/0"), TIMEOUT_S)
        process = int(mu.open_store(cloud.data(ex)).get("runs/0"))
        error = future.exception(TIMEOUT_S)
        assert isinstance(error, mu.TaskTimeout)
        assert "15 s" in error.message
        assert not alive(process)


@contextmanager
def ending_after(cloud: Cloud, seconds: int) -> Iterator[None]:
    """Lets workers' functions end sooner than the stack says: executors call other versions."""
    functions = cloud.emulator.client("lambda")
    before, found, versions = {}, Deployment.find(STACK), {}
    for name in cloud.names():
        before[name] = functions.get_function_configuration(FunctionName=name)["Timeout"]
        functions.update_function_configuration(FunctionName=name, Timeout=seconds)
        versions[name] = functions.publish_version(FunctionName=name)["Version"]
    changed = {
        architecture: {
            memory: [f"{one}:{versions[one]}" for one in (n.partition(":")[0] for n in names)]
            for memory, names in sizes.items()
        }
        for architecture, sizes in found.functions.items()
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            told = replace(found, functions=changed)
            patch.setattr(Deployment, "find", classmethod(lambda *_: told))
            yield
    finally:
        for name, timeout in before.items():
            functions.update_function_configuration(FunctionName=name, Timeout=timeout)


def test_calls_for_which_a_function_has_no_time_left_go_to_the_next(cloud: Cloud) -> None:
    """If this fails, calls behind a slow one are lost with their function, or run twice."""
    with ending_after(cloud, 30), mu.Executor(ON, workers=1) as ex:
        # Five calls for one worker make shares of two. After item 0 fewer than the 15 s are left
        # that a call needs to begin. All other items begin well before, even on a busy machine.
        found = list(ex.map(functools.partial(slow_first, cloud.data(ex)), range(5)))
        assert found == [True] * 5
        assert [one.error for one in ex.records()] == [None] * 5
        # Results are told before their share's record is stored.
        wait_until(lambda: not cloud.environments(), TIMEOUT_S)
        shares = [key for key in cloud.objects(ex.job) if key.startswith("records/")]
        assert len(shares) == 4


def test_a_call_that_outlasts_its_function_is_named(cloud: Cloud) -> None:
    """If this fails, a call of 15 minutes looks like a worker that died, and is tried again."""
    with ending_after(cloud, 20), mu.Executor(ON) as ex:
        error = ex.submit(time.sleep, 600).exception(TIMEOUT_S)
        assert isinstance(error, mu.TaskTimeout)
        assert "its worker had to end after" in error.message
        assert [one.error for one in ex.records()] == ["TaskTimeout"]


def test_a_program_without_its_output_delivers_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """If this fails, a job ends well without a result, or with a half of it."""
    for name in ("whole", "half", "last"):
        (tmp_path / f"{name}.txt").write_text(name)
    program = tmp_path / "split"
    program.write_text(
        '#!/bin/sh\nread -r text < "$1" || true\necho "$text" > "$2"\n'
        '[ "$text" = half ] || echo "$text" > "$3"\necho did "$text"\n'
    )
    split = mu.Command(
        ["split", mu.input("in"), mu.output("a"), mu.output("b")], files=[str(program)]
    )
    into = f"{tmp_path}/out/{{stem}}.{{output}}"
    with mu.Executor(ON, retries=1) as ex:
        files = [f"{tmp_path}/{name}.txt" for name in ("whole", "half", "last")]
        one, failed, other = ex.map(split, files, into=into, return_exceptions=True)
    assert isinstance(failed, mu.TaskFailed)
    assert (failed.error, failed.attempts) == ("OutputMissing", 2)
    assert "split did not write b" in failed.message
    assert "did half" in failed.message
    assert {Path(path).name for done in (one, other) for path in done.files.values()} == {
        "whole.a", "whole.b", "last.a", "last.b",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "whole.a", "whole.b", "last.a", "last.b",
    }  # fmt: skip
    assert {key.partition("/")[0] for key in cloud.objects(ex.job)} == {"records"}


# ---- the end ----


def test_leaving_in_the_middle_leaves_nothing(cloud: Cloud) -> None:
    """If this fails, Ctrl-C leaves functions running, which are billed, or objects."""
    ex = mu.Executor(ON, workers=3)
    where = cloud.data(ex)
    given: list[int] = []
    processes: list[int] = []

    def interrupted() -> None:
        with ex:
            seconds = [0.0] * 4 + [600.0] * 20
            for item in ex.map(note_and_sleep, [where] * 24, range(24), seconds, ordered=False):
                given.append(item)
                if len(given) == 4:
                    wait_until(lambda: len(noted()) == 3, TIMEOUT_S)
                    processes.extend(noted())
                    raise KeyboardInterrupt

    def noted() -> list[int]:
        store = mu.open_store(where)
        return [int(store.get(key)) for key in store.list("runs/")]

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sorted(given) == [0, 1, 2, 3]
    assert cloud.running(ex.job) == []
    wait_until(lambda: not cloud.environments(), TIMEOUT_S)
    assert not any(alive(process) for process in processes)
    left = {key.partition("/")[0] for key in cloud.objects(ex.job)}
    assert left <= {"stop.json", "records"}


def test_one_call_is_cancelled_and_its_worker_goes_on(cloud: Cloud, executor: mu.Executor) -> None:
    """If this fails, `Future.cancel` does not stop what is billed, or stops more."""
    slow = executor.submit(time.sleep, 600)
    wait_until(lambda: bool(cloud.environments()), TIMEOUT_S)
    assert slow.cancel()
    wait_until(lambda: not cloud.environments(), TIMEOUT_S)
    assert executor.submit(square, 3).result(TIMEOUT_S) == 9


def test_a_cancelled_job_raises_for_who_waits(cloud: Cloud) -> None:
    """If this fails, who waits for a job that another has cancelled waits, or it runs on."""
    with mu.Executor(ON) as ex:
        futures = [ex.submit(time.sleep, 600) for _ in range(3)]
        wait_until(lambda: len(cloud.environments()) == 3, TIMEOUT_S)
        assert Job(deployment.Deployment.find(STACK), ex.job).cancel() >= 1
        for future in futures:
            with pytest.raises(CancelledError):
                future.result(60)
    wait_until(lambda: not cloud.environments(), TIMEOUT_S)
    # Workers that have not looked yet must still find that nobody wants the job.
    assert {key.partition("/")[0] for key in cloud.objects(ex.job)} == {"stop.json", "records"}


def test_a_job_that_was_cancelled_takes_no_other_calls(cloud: Cloud) -> None:
    """If this fails, what is submitted after `mu cancel` fails as a worker that died."""
    with mu.Executor(ON, retries=1) as ex:
        assert ex.submit(square, 3).result(TIMEOUT_S) == 9
        Job(deployment.Deployment.find(STACK), ex.job).cancel()
        with pytest.raises(CancelledError):
            ex.submit(square, 3).result(TIMEOUT_S)


def test_nothing_is_left(cloud: Cloud) -> None:
    """If this fails, the tests above left calls running."""
    wait_until(lambda: not cloud.environments(), TIMEOUT_S)
    assert not [pid for pid in cloud.environments() if alive(pid)]
