"""What happens to a job after a step failed in the cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest

from excamera.lifecycle.failure import JobFailed, failure, note_end
from mu import Context, MemoryStore

JOB = {"job": "j", "input": {}, "container": "webm", "options": {}, "index": "auto"}
MAP_FAILED = {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "too many"}


def caught(error: str, message: str) -> dict[str, str]:
    return {"Error": error, "Cause": json.dumps({"errorType": error, "errorMessage": message})}


def leaf(store: MemoryStore, error: str, message: str = "", **place: int) -> None:
    event = {"job": "j", **place, "failed": {"encode": caught(error, message)}}
    failure(event, Context(store))


def top(
    store: MemoryStore,
    failed: dict[str, Any],
    redrives: int = 0,
    planned: dict[str, Any] | None = None,
    **job: Any,
) -> Any:
    flow = {**JOB, **job, "failed": failed, "indexed": {"spans": [], "planned": planned},
            "ready": {"plan": {"items": "k"}}}  # fmt: skip
    return failure({"flow": flow, "failed": failed, "redrives": redrives}, Context(store))


def record(store: MemoryStore) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(store.get("jobs/j/failure.json"))
    return loaded


def test_the_first_failure_deep_in_the_flow_is_the_jobs() -> None:
    """If this fails, a job's failure says "threshold exceeded" instead of what happened."""
    store = MemoryStore()
    with pytest.raises(JobFailed, match="encode of batch 3, share 7: frame 5 is bad") as first:
        leaf(store, "SizeChange", "frame 5 is bad", batch=3, share=7)
    assert type(first.value).__name__ == "SizeChange"
    with pytest.raises(JobFailed, match="share 7"):
        leaf(store, "ChunkError", "later", batch=4, share=0)
    with pytest.raises(JobFailed, match="frame 5 is bad") as last:
        top(store, {"batches": MAP_FAILED})
    assert type(last.value).__name__ == "SizeChange"
    assert {k: record(store)[k] for k in ("step", "batch", "share", "error")} == {
        "step": "encode", "batch": 3, "share": 7, "error": "SizeChange",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("platform", "name", "word"),
    [
        ("Sandbox.Timedout", "WorkerTimedOut", "time"),
        ("Runtime.ExitError", "WorkerDied", "memory"),
        ("Lambda.TooManyRequestsException", "WorkersBusy", "quota"),
    ],
)
def test_the_platforms_own_failures_say_what_to_do(platform: str, name: str, word: str) -> None:
    """If this fails, users read Lambda's jargon and no advice."""
    store = MemoryStore()
    with pytest.raises(JobFailed, match=word):
        leaf(store, platform, "RequestId: 1 Error: Runtime exited", batch=0, share=0)
    assert record(store)["error"] == name


def test_frames_that_differ_from_the_containers_promise_start_the_job_again_once() -> None:
    """If this fails, sources that only decoding can index fail, but only in the cloud."""
    store = MemoryStore()
    with pytest.raises(JobFailed):
        leaf(store, "SourceMismatch", "frame 9", batch=0, share=1)
    again = top(store, {"batches": MAP_FAILED})
    assert again == {**JOB, "index": "decoding", "again": True}
    assert not store.exists("jobs/j/failure.json")
    with pytest.raises(JobFailed):
        leaf(store, "SourceMismatch", "frame 9", batch=0, share=1)
    with pytest.raises(JobFailed, match="frame 9"):
        top(store, {"batches": MAP_FAILED}, index="decoding")


def test_a_job_in_a_busy_account_goes_on_with_fewer_workers() -> None:
    """If this fails, a job fails for being one of many, or pays for ever for refused calls."""
    store = MemoryStore()
    more: dict[str, Any] = {}
    for halvings in (1, 2, 3):
        with pytest.raises(JobFailed):
            leaf(store, "Lambda.TooManyRequestsException", batch=0, share=1)
        again = top(store, {"batches": MAP_FAILED}, **more)
        assert again == {**JOB, "halvings": halvings, "again": True}
        more = {"halvings": halvings}
    assert not store.exists("jobs/j/failure.json")


def test_a_redrive_starts_again_from_the_plan_and_a_repeated_call_does_not() -> None:
    """If this fails, a redrive of a failed execution fails at once, or fails for ever."""
    store = MemoryStore()
    for _ in range(2):
        with pytest.raises(JobFailed, match="index: not a video"):
            top(store, {"index": caught("NotAVideo", "not a video")})
    redriven = top(store, {"index": caught("NotAVideo", "not a video")}, redrives=1)
    # Its history has events already, so it is told that it is not the first.
    assert redriven == {**JOB, "again": True}
    with pytest.raises(JobFailed, match="still not"):
        top(store, {"index": caught("NotAVideo", "still not")}, redrives=1)


def test_a_job_that_was_stopped_or_ran_out_of_time_leaves_a_record_too() -> None:
    """If this fails, such jobs end without an explanation."""
    store = MemoryStore()
    note_end("j", "TIMED_OUT", None, store)
    assert record(store)["error"] == "JobTimedOut"
    note_end("j", "FAILED", "later", store)
    assert record(store)["error"] == "JobTimedOut"


def test_a_stopped_job_that_goes_on_fails_for_its_new_reason() -> None:
    """If this fails, a job that was stopped once is "stopped" whatever happens after a redrive."""
    store = MemoryStore()
    note_end("j", "ABORTED", None, store)
    with pytest.raises(JobFailed, match="frame 5 is bad"):
        leaf(store, "SizeChange", "frame 5 is bad", batch=3, share=7)
    assert record(store)["error"] == "SizeChange"
    note_end("k", "ABORTED", None, store)
    with pytest.raises(JobFailed, match="not a video"):
        top(store, {"index": caught("NotAVideo", "not a video")}, redrives=1, job="k")


def test_a_cause_that_is_no_json_is_kept_as_it_is() -> None:
    """If this fails, an unusual error hides behind a failure of the failure function."""
    store = MemoryStore()
    with pytest.raises(JobFailed, match=r"stitch: States\.Runtime says this"):
        top(store, {"stitch": {"Error": "Odd", "Cause": "States.Runtime says this"}})


def test_a_job_that_begins_again_keeps_what_was_chosen_for_its_goal() -> None:
    """If this fails, the account is busier the second time, and finished batches fit no more."""
    store, choice = MemoryStore(), {"goal": {"within_s": 30.0}, "chosen": {"batch_chunks": 24}}
    busy = caught("Lambda.TooManyRequestsException", "busy")
    with pytest.raises(JobFailed):
        failure({"job": "j", "batch": 0, "failed": {"encode": busy}}, Context(store))
    again = top(store, {"batches": MAP_FAILED}, planned=choice)
    assert (again["planned"], again["halvings"]) == (choice, 1)
    assert "indexed" not in again
    with pytest.raises(JobFailed):
        failure({"job": "j", "batch": 0, "failed": {"encode": busy}}, Context(store))
    assert "planned" not in top(store, {"batches": MAP_FAILED})
