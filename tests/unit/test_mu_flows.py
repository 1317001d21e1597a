"""Flows on this machine: results, order, failures, and no process left behind."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mu import (
    DISCARD,
    DirectoryStore,
    Each,
    Executor,
    FlowError,
    Node,
    Observer,
    Parallel,
    Retry,
    Sequence,
    Task,
    TaskFailed,
    TaskRecord,
    TaskTimeout,
    WorkerDied,
)
from mu.engines.machine import wire
from mu.timeline import attempts
from tests.support.processes import alive, wait_until
from tests.unit.task_functions import FUNCTIONS

ROOT = Path(__file__).parents[2]


class Recorder(Observer):
    """Keeps what an engine reports."""

    def __init__(self) -> None:
        self.records: list[TaskRecord] = []
        self.messages: list[dict[str, Any]] = []
        self.counts: dict[str, int] = {}

    def expected(self, task: str, count: int) -> None:
        """Keep the count."""
        self.counts[task] = self.counts.get(task, 0) + count

    def message(self, task: str, message: dict[str, Any]) -> None:
        """Keep the message."""
        self.messages.append(message)

    def finished(self, record: TaskRecord) -> None:
        """Keep the record."""
        self.records.append(record)


def run(folder: Path, flow: Node, event: dict[str, Any], **options: Any) -> Any:
    """Run a flow over the test functions."""
    workers = options.pop("workers", 2)
    with Executor(workers=workers, store=DirectoryStore(folder)) as executor:
        return executor.start(flow, event, functions=FUNCTIONS, **options).result()


NESTED = Each(
    "outer",
    items="$.lists",
    item={"xs": "$item"},
    body=Sequence(
        "one",
        (
            Each("inner", items="$.xs", item={"x": "$item"}, body=Task("square", "square"),
                 output="squares"),
            Task("total", "total"),
        ),
    ),
)  # fmt: skip


def test_nested_each_gives_results_in_order(tmp_path: Path) -> None:
    """If this fails, batches or chunks come back mixed up, or nesting blocks the pool."""
    lists = [[1, 2, 3], [], [4], [5, 6]]
    for workers in (1, 2):
        result = run(tmp_path, NESTED, {"lists": lists}, workers=workers)
        assert [one["sum"] for one in result] == [14, 0, 16, 61]


def test_parallel_names_results_and_discard_keeps_the_event(tmp_path: Path) -> None:
    """If this fails, the steps after a parallel or a discarding task see a wrong event."""
    flow = Sequence(
        "all",
        (
            Task("quiet", "square", input={"x": 9}, output=DISCARD),
            Parallel(
                "both",
                {
                    "a": Task("a", "square", input={"x": "$.x"}),
                    "b": Task("b", "square", input={"x": 5}),
                },
                output="both",
            ),
        ),
    )
    result = run(tmp_path, flow, {"x": 3})
    assert result["x"] == 3
    assert (result["both"]["a"]["y"], result["both"]["b"]["y"]) == (9, 25)


def test_items_come_from_the_store_and_a_distributed_map_only_counts(tmp_path: Path) -> None:
    """If this fails, a list too large for an event cannot be mapped over."""
    DirectoryStore(tmp_path).put("items.json", json.dumps([1, 2, 3]).encode())
    flow = Each(
        "far", items="$.key", items_in_store=True, item={"x": "$item", "n": "$index"},
        body=Task("square", "square"), distributed=True, concurrency=1,
    )  # fmt: skip
    assert run(tmp_path, flow, {"key": "items.json"}) == {}


def test_a_failed_task_is_named_with_its_event_and_stops_the_rest(tmp_path: Path) -> None:
    """If this fails, a user cannot tell which piece failed, or waits for the others."""
    flow = Parallel("p", {"long": Task("long", "sleep"), "bad": Task("bad", "fail")})
    started = time.monotonic()
    with pytest.raises(TaskFailed) as caught:
        run(tmp_path, flow, {"x": 7})
    assert time.monotonic() - started < 30
    assert (caught.value.task, caught.value.event) == ("bad", {"x": 7})
    assert (caught.value.error, caught.value.message) == ("ValueError", "cannot do 7")


def test_a_dead_worker_is_reported_with_its_task(tmp_path: Path) -> None:
    """If this fails, a worker killed for lack of memory hangs the job or goes unexplained."""
    flow = Parallel("p", {"long": Task("long", "sleep"), "dead": Task("dead", "die")})
    with pytest.raises(WorkerDied, match=r"task dead failed.*SIGKILL"):
        run(tmp_path, flow, {"x": 7})
    for key in DirectoryStore(tmp_path).list("sleeping/"):
        assert not alive(int(key.rpartition("/")[2]))


def test_retry_applies_to_the_named_error_only(tmp_path: Path) -> None:
    """If this fails, transient errors end a job, or permanent ones are tried again."""
    named = Task("named", "busy_once", retry=(Retry(("Busy",), 1, 0.01),))
    recorder = Recorder()
    assert run(tmp_path, named, {}, observer=recorder) == {"attempt": 2}
    assert recorder.records[0].attempts == 2
    other = Task("other", "busy_once", retry=(Retry(("ValueError",), 1, 0.01),))
    with pytest.raises(TaskFailed, match="Busy"):
        run(tmp_path, other, {})


def test_a_task_over_its_time_is_stopped(tmp_path: Path) -> None:
    """If this fails, a stuck task holds its job forever."""
    with pytest.raises(TaskTimeout):
        run(tmp_path, Task("slow", "sleep", timeout_s=0.3), {})


def test_records_counts_and_messages_are_told(tmp_path: Path) -> None:
    """If this fails, progress and the timeline of a job are wrong."""
    recorder = Recorder()
    run(tmp_path, NESTED, {"lists": [[1, 2], [3]]}, observer=recorder, timeline="t")
    assert recorder.counts == {"square": 3, "total": 2}
    assert sorted(message["seen"] for message in recorder.messages) == [1, 2, 3]
    assert all(r.finished is not None and r.finished >= r.started for r in recorder.records)
    assert all(record.worker.startswith("process ") for record in recorder.records)
    noted = list(attempts("t", DirectoryStore(tmp_path).list("t/")))
    assert [attempt.task for attempt in noted] == [
        "square-0", "square-1", "square-2", "total-0", "total-1",
    ]  # fmt: skip
    assert all(attempt.done and attempt.number == 1 for attempt in noted)


@pytest.mark.parametrize("method", ["expected", "started", "message", "finished"])
def test_what_an_observer_raises_ends_the_flow(method: str, tmp_path: Path) -> None:
    """If this fails, a flow hangs, or goes on unseen, because whoever watches it has failed."""

    def refuse(*_: object) -> None:
        raise BrokenPipeError("nobody reads")

    observer = Observer()
    setattr(observer, method, refuse)
    flow = Sequence("all", (Task("square", "square"), Task("long", "sleep", input={})))
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        run(tmp_path, flow, {"x": 3}, observer=observer)
    for key in DirectoryStore(tmp_path).list("sleeping/"):
        assert not alive(int(key.rpartition("/")[2]))


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (Task("a", "nothing"), "no function"),
        (Sequence("s", (Task("a", "square"), Task("a", "square"))), "unique"),
        (Sequence("s", ()), "no steps"),
        (Task("a", "square", input={"x": "$.a["}), "not a path"),
        (Task("a", "square", input={"x": "$item"}), "not a path"),
        (Each("e", "$.x", Task("a", "square"), concurrency=0), "concurrency"),
    ],
)
def test_a_wrong_flow_is_refused_before_it_runs(tmp_path: Path, flow: Node, message: str) -> None:
    """If this fails, a typing mistake in a flow shows only in the middle of a job."""
    with pytest.raises(FlowError, match=message):
        run(tmp_path, flow, {"x": 1})


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_a_stopped_flow_leaves_no_worker(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """If this fails, Ctrl-C (or a kill) leaves encoders running in the background."""
    program = (
        "import sys\n"
        "from mu import *\n"
        "from tests.unit.task_functions import FUNCTIONS\n"
        "flow = Parallel('p', {'a': Task('a', 'sleep'), 'b': Task('b', 'sleep')})\n"
        "try:\n"
        "    with Executor(workers=2, store=DirectoryStore(sys.argv[1])) as executor:\n"
        "        executor.start(flow, {}, functions=FUNCTIONS).result()\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
    )
    store = DirectoryStore(tmp_path)
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT) as parent:
        wait_until(lambda: len(store.list("sleeping/")) == 2)
        workers = [int(key.rpartition("/")[2]) for key in store.list("sleeping/")]
        parent.send_signal(number)
        assert parent.wait(timeout=60) == code
    wait_until(lambda: not any(map(alive, workers)))


def test_a_worker_ends_with_a_parent_that_left_answers_unread() -> None:
    """If this fails, a parent killed at the wrong moment leaves its workers behind."""
    ours, theirs = socket.socketpair()
    inbox, unread = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    code = "import sys; from mu.engines.machine.worker import main; main(*sys.argv[1:])"
    descriptors = [theirs.fileno(), unread.fileno()]
    with theirs, unread, inbox, subprocess.Popen(
        [sys.executable, "-c", code, *map(str, descriptors)], cwd=ROOT, pass_fds=descriptors
    ) as worker:  # fmt: skip
        theirs.close()
        with ours:
            wire.send(ours, {"store": "dir:/nowhere"})
            inbox.send(wire.packet_for_stream(1))
            call = {"task": "t", "function": "no.such:thing", "event": {}, "attempt": 1}
            wire.send(ours, call)
            ours.recv(1)  # the answer has begun to arrive; the rest stays unread
        assert worker.wait(timeout=30) == 1
