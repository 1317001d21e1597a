"""The table of steps, compared with the flow, the code and measured requests."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from typing import Any

from excamera.cli.progress import ProgressObserver
from excamera.errors import WorkerCrashed
from excamera.job.flow import FUNCTIONS as REGISTRY
from excamera.job.flow import excamera_flow
from excamera.job.steps import COUNTED, FUNCTIONS, STEPS, Counts, Per, step_of
from excamera.local import named
from excamera.price import costs
from mu import Each, Node, Sequence, Task, TaskFailed, TaskRecord
from mu.flow import Parallel, check
from mu.task import resolve
from tests.support.shared import ROOT

MODEL: dict[str, dict[str, int]] = json.loads(
    (ROOT / "benchmarks" / "results" / "cloud.json").read_text()
)["overhead"]["model"]
"""What a job was counted to ask for, by kind; its batches have more than one chunk."""


def tasks(node: Node, depth: int = 0) -> dict[str, int]:
    """How many maps are around each task."""
    match node:
        case Task():
            return {node.name: depth}
        case Each():
            return tasks(node.body, depth + 1)
        case Sequence():
            inner = node.steps
        case Parallel():
            inner = tuple(node.branches.values())
    return {name: found for child in inner for name, found in tasks(child, depth).items()}


def test_the_table_has_the_tasks_of_the_flow() -> None:
    """If this fails, a step has no row, or its row says that it is called more or less often."""
    depths = {Per.JOB: 0, Per.SPAN: 1, Per.BATCH: 1, Per.CHUNK: 2}
    assert tasks(excamera_flow()) == {step.name: depths[step.per] for step in STEPS}
    check(excamera_flow(), REGISTRY)


def test_every_function_has_its_folder_and_every_task_its_code() -> None:
    """If this fails, a row names a handler or a task function that does not exist."""
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    # The workers of mu's executors belong to no job of ours.
    assert Counter(one.name for one in FUNCTIONS) == Counter(folders - {"worker"})
    for step in STEPS:
        assert resolve(step.task).__name__ == step.name
        assert step_of(step.name) is step


def test_the_steps_that_are_counted_have_phases_of_their_own() -> None:
    """If this fails, a progress line shows the count of another step."""
    assert len({step.phase for step in COUNTED}) == len(COUNTED)
    assert all(step.phase and step.frames_are for step in COUNTED)


def measured(*kinds: str) -> Counts:
    """The counts of some kinds of requests together."""
    return Counts(*(sum(MODEL[kind][per] for kind in kinds) for per in ("job", "batch", "chunk")))


def without_spans(counts: Counts) -> Counts:
    """The counts of a job whose source was surveyed by the index."""
    return replace(counts, span=0)


def in_mode_rebase(counts: Counts) -> Counts:
    """The counts of a job without spans whose batches are all rebased."""
    return Counts(counts.job, counts.batch + counts.rebased_batch, counts.chunk)


def test_the_rows_add_up_to_what_was_measured() -> None:
    """If this fails, a step asks for more or less than its row says."""
    lists_the_timeline = Counts(job=1)  # priced as a PUT
    # The published pipeline was measured before there were anchors; a call of that step, which has
    # nothing to do, reads its part of the plan, looks for a cancellation and leaves a record.
    idle, idle_reads = Counts(batch=1), Counts(batch=2)
    # The plan was one step with the index: now there is a call more, which reads what the index
    # wrote, looks for a cancellation and leaves a record. Between them is a map over the spans.
    of_plan = Counts(job=1)
    more = idle + of_plan
    # Jobs did not wait then, and nothing remembered them. Two calls of admit list the queue and
    # change the turns; index reads them, and plan and stitch list and change, too.
    calls_of_admit, queued, catalogued = Counts(job=2), Counts(job=2), Counts(job=2)
    changes, looks = Counts(job=4), Counts(job=4)
    turns_read = Counts(job=2 * 3 + 2 * 3)
    jobs_read = Counts(job=3)
    invoked = measured("invocations") + more + calls_of_admit
    assert invoked == without_spans(costs.INVOCATIONS)
    assert measured("transitions") + more + of_plan == without_spans(costs.TRANSITIONS)
    writes = measured("s3:PutObject") + lists_the_timeline + more + of_plan
    writes += queued + catalogued + changes + looks
    assert writes == in_mode_rebase(costs.WRITES)
    reads = measured("s3:GetObject", "s3:HeadObject") + idle_reads + of_plan + of_plan
    reads += turns_read + jobs_read
    assert reads == in_mode_rebase(costs.READS)
    of_environment = sum(MODEL[kind]["environment"] for kind in ("s3:GetObject", "s3:HeadObject"))
    assert of_environment == costs.READS_OF_ENVIRONMENT


def phases(events: list[tuple[str, str]], anchored: int = 0) -> list[str]:
    """What a progress observer shows, a line for each phase."""

    def record(name: str, result: Any) -> TaskRecord:
        return TaskRecord(name, 0, {}, 0.0, result=result)

    out = io.StringIO()
    observer = ProgressObserver(out, moving=False)
    results = {"plan": {"frames": 12, "chunks": 2, "batches": 1, "anchored": anchored}}
    for kind, name in events:
        getattr(observer, kind)(record(name, results.get(name, {"frames": 6})))
    return out.getvalue().splitlines()


def test_joining_is_shown_when_all_is_encoded() -> None:
    """If this fails, the phase jumps between encoding and joining while both go on."""
    shown = phases([
        ("started", "index"), ("started", "plan"), ("finished", "plan"), ("started", "encode"),
        ("finished", "encode"), ("started", "join"), ("started", "encode"), ("finished", "encode"),
        ("started", "join"), ("finished", "join"), ("started", "stitch"),
    ])  # fmt: skip
    assert [line for line in shown if ":" not in line] == [
        "reading the source", "12 frames in 2 chunks, 1 batch", "encoding", "joining", "stitching",
    ]  # fmt: skip
    assert any(line.startswith("encoding: 1/2 chunks") for line in shown)
    assert any(line.startswith("joining: 1/1 batches") for line in shown)


def test_the_survey_of_a_long_film_is_shown() -> None:
    """If this fails, a long film seems to stand still while many workers look for scenes."""
    shown = phases([("started", step) for step in ("index", "survey", "survey", "plan")])
    assert shown == ["reading the source", "looking for scenes"]


def test_anchors_are_shown_until_a_chunk_begins() -> None:
    """If this fails, the phase jumps back whenever a later batch begins."""
    events = [
        ("started", "index"), ("started", "plan"), ("finished", "plan"), ("started", "anchors"),
        ("finished", "anchors"), ("started", "encode"), ("started", "anchors"),
        ("finished", "encode"),
    ]  # fmt: skip
    for anchored, shown in ((0, []), (1, ["coding anchors"])):
        found = [line for line in phases(events, anchored) if ":" not in line]
        assert found[2:] == [*shown, "encoding"]


def test_a_crash_of_a_worker_is_told_in_a_users_words() -> None:
    """If this fails, a crash in a library shows the user the events of a flow."""
    failure = TaskFailed("index", {"job": "local"}, "WorkerDied", "process 7 was killed by SIGABRT")
    told = named(failure)
    assert isinstance(told, WorkerCrashed)
    assert str(told).startswith("task index failed: process 7 was killed by SIGABRT; ")
    assert "report it" in str(told)
