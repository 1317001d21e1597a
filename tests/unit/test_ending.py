"""The notice of a job's end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from excamera.job.objects import Keys
from excamera.lifecycle import ending
from excamera.lifecycle.cancel import mark, sweep
from mu import Attempt, MemoryStore

JOB = {
    "job": "j", "input": {"name": "s3://films/a b/c+d.mp4", "path": "s3://films/a%20b/c%2Bd.mp4"},
    "output": {"store": "s3://results", "key": "a b/c+d.webm"}, "tag": {"n": [1, None]},
}  # fmt: skip
MADE = {"key": "a b/c+d.webm", "size": 7, "frames": 3, "duration_s": 0.1, "key_frames": 1}


def detail(status: str = "SUCCEEDED", **changes: Any) -> dict[str, Any]:
    return {
        "executionArn": "arn:j", "name": "j", "status": status, "input": json.dumps(JOB),
        "output": json.dumps(MADE) if status == "SUCCEEDED" else None,
        "startDate": 1_000_000, "stopDate": 1_002_500, **changes,
    }  # fmt: skip


def told(store: MemoryStore, *args: Any, **changes: Any) -> ending.Notice:
    return ended(store, *args, **changes).notice


def ended(store: MemoryStore, *args: Any, **changes: Any) -> ending.Ended:
    return ending.end_of_job(
        detail(*args, **changes), store, stack="S", memory_mb={"encode": 1769}, architecture="arm64"
    )


def test_a_success_names_source_result_and_tag() -> None:
    """If this fails, a notice does not say which film is finished, where it is, or for whom."""
    notice = told(MemoryStore())
    assert notice["source"] == {"bucket": "films", "key": "a b/c+d.mp4"}
    assert notice["result"] == {
        "bucket": "results", "key": "a b/c+d.webm", "size": 7, "frames": 3, "duration_s": 0.1,
    }  # fmt: skip
    assert notice["tag"] == {"n": [1, None]}
    assert (notice["started"], notice["ended"]) == (
        "1970-01-01T00:16:40.000Z", "1970-01-01T00:16:42.500Z",
    )  # fmt: skip
    assert ending.attributes(notice) == {"status": "succeeded"}
    assert ending.seconds(detail()) == 2.5


@pytest.mark.parametrize(
    ("execution", "machine", "child"),
    [
        ("execution:Jobs-1:film-2f", "stateMachine:Jobs-1", False),
        ("execution:Jobs-1/batches:0b6e", "stateMachine:Jobs-1/batches", True),
        ("execution:Jobs-1/batches:0b6e", "stateMachine:Jobs-1", True),
        ("execution:Jobs-1:0b6e", "stateMachine:Jobs-1/batches", True),
    ],
)
def test_a_child_of_a_map_is_no_job(execution: str, machine: str, child: bool) -> None:
    """If this fails, every batch of a job is announced as a job of its own, or no job is."""
    arn = "arn:aws:states:eu-west-1:1:"
    found = detail(executionArn=arn + execution, stateMachineArn=arn + machine)
    assert ending.is_of_child(found) is child


@pytest.mark.parametrize(
    ("status", "ours", "error"),
    [
        ("ABORTED", "stopped", "JobStopped"),
        ("TIMED_OUT", "timed_out", "JobTimedOut"),
        ("FAILED", "failed", "JobFailed"),
    ],
)
def test_an_unhappy_end_is_recorded_and_told_alike(status: str, ours: str, error: str) -> None:
    """If this fails, the notice and failure.json give different reasons."""
    store = MemoryStore()
    notice = told(store, status, cause="so it is")
    record = json.loads(store.get("jobs/j/failure.json"))
    assert (notice["status"], notice["error"]) == (ours, error)
    assert (record["error"], record["message"]) == (notice["error"], notice["message"])
    assert "so it is" in notice["message"]
    assert ending.attributes(notice) == {"status": ours, "error": error}


def test_the_first_failure_of_a_step_is_the_reason() -> None:
    """If this fails, notices say "the job failed" although the step's own message is known."""
    store = MemoryStore()
    record = {"step": "encode", "error": "UnreadableFrame", "message": "frame 5"}
    store.put("jobs/j/failure.json", json.dumps(record).encode())
    notice = told(store, "FAILED", cause="child failed")
    assert (notice["error"], notice["message"]) == ("UnreadableFrame", "frame 5")


def test_a_redriven_job_that_times_out_is_not_stopped() -> None:
    """If this fails, the notice of a second end has the first one's reason."""
    store = MemoryStore()
    told(store, "ABORTED")
    assert told(store, "TIMED_OUT", stopDate=2_000_000)["error"] == "JobTimedOut"


def test_an_end_is_known_again_and_a_later_one_replaces_it() -> None:
    """If this fails, an event that comes twice is announced twice, or a later end is lost."""
    store = MemoryStore()
    first, second = told(store, "FAILED"), told(store, stopDate=2_000_000)
    assert not ending.is_told(first, store)
    ending.remember(first, store)
    assert ending.is_told(told(store, "FAILED"), store)
    assert not ending.is_told(second, store)
    ending.remember(second, store)
    ending.remember(first, store)
    assert ending.is_told(second, store)
    assert ending.seconds(detail(redriveCount=1)) is None


def test_a_cancelled_job_leaves_nothing_behind_its_end() -> None:
    """If this fails, cancelled jobs keep objects for a week."""
    store = MemoryStore()
    notice = told(store, "ABORTED")
    store.put(Attempt("encode-000000-000000", 1, 10_000).key("jobs/j/timeline"), b"{}")
    mark(store, Keys("j"))
    # What is left of the timeline says nothing about the whole.
    assert "cost_usd" not in told(store, "ABORTED")
    sweep(store, Keys("j"))
    told(store, "ABORTED")
    ending.remember(notice, store)
    assert store.list("jobs/") == []


def test_the_cost_is_that_of_the_timeline() -> None:
    """If this fails, notices report the cost of something else, or none."""
    store = MemoryStore()
    assert "cost_usd" not in told(store)
    store.put(Attempt("encode-000000-000000", 1, 10_000).key("jobs/j/timeline"), b"{}")
    cost = told(store)["cost_usd"]
    assert cost > 10 * 1769 / 1024 * 0.0000133334


@pytest.mark.parametrize("given", [None, "", "no json", "[1]", "{}", '{"input": 3}'])
def test_whatever_an_execution_was_started_with_its_end_is_told(given: str | None) -> None:
    """If this fails, the end of an execution started by hand lands in the undelivered queue."""
    notice = told(MemoryStore(), input=given, output=given)
    assert notice["status"] == "succeeded"
    assert "tag" not in notice
    assert "source" not in notice
