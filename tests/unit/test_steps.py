"""The table of steps, compared with the flow, the code and measured requests."""

from __future__ import annotations

import io
import itertools
from collections import Counter

from excamera.cli.progress import LineProgress
from excamera.errors import WorkerCrashed
from excamera.job.flow import FUNCTIONS as REGISTRY
from excamera.job.flow import excamera_flow
from excamera.job.steps import ENCODING, FUNCTIONS, STEPS, Per, step_of
from excamera.local import named
from mu import Each, Node, Sequence, Task, TaskFailed, TaskRecord
from mu.flow import Parallel, check
from mu.task import resolve
from tests.support.shared import ROOT


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
    depths = {Per.JOB: 0, Per.SPAN: 1, Per.PROBE: 2, Per.AHEAD: 2, Per.SHARE: 2}
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


def phases(events: list[tuple[str, str]]) -> list[str]:
    """What a progress observer shows, a line for each phase."""
    out = io.StringIO()
    observer = LineProgress(out, moving=False)
    results = {"plan": {"frames": 12, "chunks": 2, "batches": 2}}
    batches = {"started": itertools.count(), "finished": itertools.count()}
    for kind, name in events:
        event = {"batch": next(batches[kind]), "share": 0} if name == ENCODING else {}
        result = results.get(name, {"frames": 6})
        getattr(observer, kind)(TaskRecord(name, 0, event, 0.0, result=result))
    return out.getvalue().splitlines()


def test_frames_are_counted() -> None:
    """If this fails, a progress line counts frames twice or not at all."""
    shown = phases([
        ("started", "index"), ("started", "plan"), ("finished", "plan"), ("started", "encode"),
        ("started", "encode"), ("finished", "encode"), ("finished", "encode"),
        ("started", "stitch"),
    ])  # fmt: skip
    assert [line for line in shown if ":" not in line] == [
        "reading the source", "12 frames in 2 chunks, 2 batches", "encoding", "stitching",
    ]  # fmt: skip
    assert [line.partition(",")[0] for line in shown if ":" in line] == [
        "encoding: 6/12 frames", "encoding: 12/12 frames",
    ]  # fmt: skip


def test_frames_of_a_share_count_as_soon_as_they_are_encoded() -> None:
    """If this fails, the line stands still while a worker encodes a whole batch."""
    observer = LineProgress(io.StringIO(), moving=False)
    observer.finished(
        TaskRecord("plan", 0, {}, 0.0, result={"frames": 12, "chunks": 2, "batches": 1})
    )
    share = {"batch": 0, "share": 0}
    observer.started(TaskRecord(ENCODING, 0, share, 0.0))
    for done in (6, 12):
        observer.message(ENCODING, {**share, "frames": done})
        assert observer.line().startswith(f"encoding: {done}/12 frames")
    observer.finished(TaskRecord(ENCODING, 0, share, 0.0, result={"frames": 12}))
    assert observer.line().startswith("encoding: 12/12 frames")


def test_the_survey_of_a_long_film_is_shown() -> None:
    """If this fails, a long film seems to stand still while many workers look for scenes."""
    shown = phases([("started", step) for step in ("index", "survey", "survey", "plan")])
    assert shown == ["reading the source", "looking for scenes"]


def test_anchors_are_shown_until_a_share_begins() -> None:
    """If this fails, the phase jumps back whenever a later batch begins."""
    events = [
        ("started", "index"), ("started", "plan"), ("finished", "plan"), ("started", "anchors"),
        ("finished", "anchors"), ("started", "encode"), ("started", "anchors"),
        ("finished", "encode"),
    ]  # fmt: skip
    found = [line for line in phases(events) if ":" not in line]
    assert found[2:] == ["coding anchors", "encoding"]


def test_a_crash_of_a_worker_is_told_in_a_users_words() -> None:
    """If this fails, a crash in a library shows the user the events of a flow."""
    failure = TaskFailed("index", {"job": "local"}, "WorkerDied", "process 7 was killed by SIGABRT")
    told = named(failure)
    assert isinstance(told, WorkerCrashed)
    assert str(told).startswith("task index failed: process 7 was killed by SIGABRT; ")
    assert "report it" in str(told)
