"""Runs a task function inside a cloud function, as a pool's worker does on one machine.

The state machine that is derived from a flow calls every function with
``{"event": {...}, "state": {"name", "entered", "retries"}}``. The record of each call goes
into the store, so both engines write the same timeline.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mu.records import TaskRecord
from mu.store.protocol import Store
from mu.task import Context, Event, Json, TaskFunction


def call(
    function: TaskFunction,
    payload: Event,
    store: Store,
    *,
    worker: str,
    timeline: str | None = None,
    task: str = "",
    deadline: float | None = None,
) -> Json:
    """Run one call of a task function, and record in the store when and where it ran.

    Args:
        function: what to run.
        payload: what the state machine sent.
        store: for the function and for the record.
        worker: name of this environment.
        timeline: key prefix of the job's timeline; None for no record.
        task: its name in the timeline, which no other task of the job has.
        deadline: Unix time at which Lambda ends the call, if known.

    Raises:
        Exception: the function's own; the record names its class.
    """
    state = payload.get("state", {})
    context = Context(
        store=store,
        task=state.get("name", ""),
        attempt=int(state.get("retries", 0)) + 1,
        worker=worker,
        deadline=deadline,
    )
    record = TaskRecord(
        name=context.task,
        number=0,
        event=payload["event"],
        started=time.time(),
        attempts=context.attempt,
        worker=worker,
        queued=_unix_time(state.get("entered")),
        marks=context.marks,
    )
    try:
        result = function(payload["event"], context)
    except BaseException as error:
        # The caller must see why the task failed, not why its record did.
        with contextlib.suppress(Exception):
            _note(store, timeline, task, record.with_end(time.time(), error=type(error).__name__))
        raise
    _note(store, timeline, task, record.with_end(time.time(), result=result))
    return result


def _note(store: Store, timeline: str | None, task: str, record: TaskRecord) -> None:
    if timeline is not None:
        full = replace(record, peak_memory_mib=peak_memory_mib())
        store.put(record.attempt(task).key(timeline), json.dumps(full.to_json()).encode())


def peak_memory_mib() -> int:
    """The most memory this process has held so far, in MiB."""
    try:
        # On Linux, getrusage starts from the peak of the process that forked this one.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) >> 10
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak >> (20 if sys.platform == "darwin" else 10)


def _unix_time(stamp: Any) -> float | None:
    if not isinstance(stamp, str):
        return None
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
