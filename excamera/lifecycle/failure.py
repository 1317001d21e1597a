"""What happens to a job after a step failed in the cloud: a record, and perhaps another try.

The state machine sends here every failure that its retries did not cure. A failure deep in the
flow is recorded where it happens, because a distributed map reports to its parent only that some
child failed. The decision is made at the top: start again from the index (finished pieces are
skipped, and all maps are distributed), or end the job with the name and message of the first
failure.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from excamera.job.objects import Keys
from excamera.job.records import FailureRecord
from excamera.job.steps import NUMBERS
from mu import Context, Event, NoSuchKey, Store

_FLOW_ONLY = ("failed", "indexed", "ready")

JOB = "job"
"""The step in the record of a job that no step failed: it was stopped, or out of time."""

# Error names of Lambda and Step Functions, with ours and with advice.
_PLATFORM: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("Sandbox.Timedout", "States.Timeout"),
        (
            "WorkerTimedOut",
            "it did not end within a worker's time limit; smaller chunks or batches "
            "(chunk-frames, batch-chunks) or more memory for its function make it faster",
        ),
    ),
    **dict.fromkeys(
        ("Runtime.ExitError", "Runtime.OutOfMemory", "Lambda.Unknown", "MemoryError"),
        (
            "WorkerDied",
            "its worker ended without an answer, most likely out of memory; more memory for "
            "its function, or smaller chunks or batches (chunk-frames, batch-chunks) help",
        ),
    ),
    "Lambda.TooManyRequestsException": (
        "WorkersBusy",
        "the account's quota of concurrent Lambda functions was used up for too long; ask "
        "AWS for a higher quota, or lower the stack's caps on concurrency",
    ),
    "States.DataLimitExceeded": (
        "EventTooLarge",
        "an event grew beyond the limit of Step Functions; larger chunks make it smaller",
    ),
}

# Ends that no step of the job can record.
_ENDS = {
    "ABORTED": ("JobStopped", "the job was stopped"),
    "TIMED_OUT": ("JobTimedOut", "the job did not end within the time limit of a job"),
}


class JobFailed(Exception):
    """Ends the job; subclasses are made with the name of the actual error."""


def failure(event: Event, context: Context) -> Event:
    """Record a failure and raise it, or start the job's flow again.

    Args:
        event: `job`; `failed`, a map from the step's name to the `Error` and `Cause` that
            Step Functions caught; the step's own event (`span`, `batch`, `share`). At the top of
            the flow instead of the latter `flow`, the flow's whole event, and `redrives`.
        context: the store.

    Returns:
        At the top of the flow, the event for a new start.

    Raises:
        JobFailed: a subclass with the name of the first failure.
    """
    if "flow" not in event:
        raise _error(_first(_record(event), event["job"], context.store))
    return _decide(event, context.store)


def _first(record: FailureRecord, job: str, store: Store) -> FailureRecord:
    """The first failure of this run of the job; `record` if there is none yet."""
    key = Keys(job).failure
    if store.put_new(key, record.to_json()):
        return record
    found = recorded(job, store)
    if found is None or found.step == JOB:
        # The job was stopped before, and went on; that is not why it fails now.
        store.put(key, record.to_json())
        return record
    return found


def _decide(event: Event, store: Store) -> Event:
    flow: Event = event["flow"]
    keys = Keys(flow["job"])
    record = recorded(flow["job"], store)
    if record is None or record.step == JOB:
        record = _record({**event, "job": flow["job"]})
    start = {name: value for name, value in flow.items() if name not in _FLOW_ONLY}
    planned = flow.get("indexed", {}).get("planned")
    if planned is not None:
        start["planned"] = planned  # a job that begins again keeps what was chosen for its goal
    again = second_try(start, record.error)
    known = event["redrives"] if record.redrives is None else record.redrives
    if again is None and event["redrives"] > known:
        again = start  # a user repaired the cause and redrove the execution
    if again is not None:
        store.delete(keys.failure)
        # Whatever it failed for may take longer now, so all its maps are distributed from now on.
        return {**again, "again": True}
    record = replace(record, redrives=event["redrives"])
    store.put(keys.failure, record.to_json())
    raise _error(record)


def second_try(event: Event, error: str) -> Event | None:
    """The event with which a failed job can start again by itself, or None.

    Args:
        event: with which it started.
        error: that ended it.
    """
    if error in ("SourceMismatch", "UnreadableFrame") and event["index"] != "decoding":
        # The container promises other frames than decoding returns, or some are damaged.
        return {**event, "index": "decoding"}
    if error == "WorkersBusy":
        # A job is not refused for being one of many; its time limit ends it. Calls that are refused
        # are billed, too, so it asks for half as many at a time.
        return {**event, "halvings": event.get("halvings", 0) + 1}
    return None


def note_end(job: str, status: str, cause: str | None, store: Store) -> None:
    """Record the end of a job that none of its steps can record: stopped, or out of time.

    The record of a step's failure stays. That of an earlier end, of a job that was redriven
    since, is replaced.
    """
    error, message = _ENDS.get(status, ("JobFailed", "the job failed"))
    message += f": {cause}" if cause else ""
    record = FailureRecord(JOB, error, message, time=time.time())
    key = Keys(job).failure
    if not store.put_new(key, record.to_json()) and status in _ENDS:
        found = recorded(job, store)
        if found is not None and found.step == JOB:
            store.put(key, record.to_json())


def recorded(job: str, store: Store) -> FailureRecord | None:
    """The record of a job's failure, or None."""
    try:
        return FailureRecord.from_json(store.get(Keys(job).failure))
    except NoSuchKey:
        return None


def _record(event: Event) -> FailureRecord:
    """The record of a caught error, in a user's words."""
    ((step, caught),) = event["failed"].items()
    cause = _parsed(caught.get("Cause", ""))
    name, message = caught["Error"], str(cause.get("errorMessage", ""))
    if name in _PLATFORM:
        name, message = _PLATFORM[name]
    where = ", ".join(f"{key} {event[key]}" for key in NUMBERS if key in event)
    return FailureRecord(
        step,
        error=name,
        message=f"{step}{f' of {where}' if where else ''}: {message}",
        **{key: event[key] for key in NUMBERS if key in event},
        cause=caught.get("Cause", "")[:4000],
        time=time.time(),
    )


def _parsed(cause: str) -> dict[str, Any]:
    try:
        parsed = json.loads(cause)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"errorMessage": cause}


def _error(record: FailureRecord) -> JobFailed:
    # Step Functions shows and matches errors by the name of their class.
    kind: type[JobFailed] = type(record.error, (JobFailed,), {})
    return kind(record.message)
