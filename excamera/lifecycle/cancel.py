"""Removes a cancelled job's objects, including those that its workers still write.

Stopping an execution does not stop the functions that it has called: they run on and store their
results. So who cancels a job first leaves a mark; then a sweep removes the objects, and every
worker looks for the mark after its last write. Whichever comes second, the mark or the write, sees
the other, so nothing remains. A sweep that dies or runs out of time is begun again by whoever looks
for marks of jobs that still have objects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from excamera.job.objects import Keys
from excamera.lifecycle.result_uploads import abort_uploads, without_uploads
from mu import Store, StoreDenied, StoreUnavailable, at_once

SWEPT_FOR = timedelta(hours=6)
"""How long after it was cancelled a job is looked at for objects; later ones expire."""

_OBJECTS = 4000
"""Objects removed at a time: a few requests for deletions, and little memory."""

_FEW = 1000
"""The most objects that a worker removes."""

_PAUSE_S = 1.0


def mark(store: Store, keys: Keys) -> None:
    """Mark a job as cancelled."""
    store.put(keys.cancelled, b"")


def is_cancelled(store: Store, keys: Keys) -> bool:
    """Whether a job was cancelled, so that its objects are no longer wanted."""
    return store.exists(keys.cancelled)


def sweep(store: Store, keys: Keys, time_is_left: Callable[[], bool] = lambda: True) -> int | None:
    """Abort the upload of a job's result, and remove all of its objects, until none is found.

    Args:
        store: the store of jobs.
        keys: of the job's objects.
        time_is_left: whether to go on; asked before each few thousand objects.

    Returns:
        How many were removed; None if there may be more.
    """
    removed = 0
    while time_is_left():
        found = store.list(f"{keys.prefix}/", limit=_OBJECTS)
        if not found:
            return removed
        try:
            if len(without_uploads(found, keys)) < len(found):
                abort_uploads(store, keys)
            store.delete_all(found)
        except StoreUnavailable:  # it asks for fewer requests; what is left is found again
            time.sleep(_PAUSE_S)
            continue
        removed += len(found)
    return None


def forget(store: Store, keys: Keys) -> int:
    """Remove what a worker wrote to a cancelled job; returns how many objects that were.

    If many objects are there, the sweep is still at work and goes on until it finds none: hundreds
    of workers that end at the same time must not all do its work. The record of an upload that this
    worker may not abort is left to the next sweep.
    """
    found = store.list(f"{keys.prefix}/", limit=_FEW + 1)
    if len(found) > _FEW:
        return 0
    if len(others := without_uploads(found, keys)) < len(found):
        try:
            abort_uploads(store, keys)
        except StoreDenied:
            found = others
    store.delete_all(found)
    return len(found)


def unswept(store: Store, marks: Iterable[tuple[str, datetime]], *, now: datetime) -> list[str]:
    """The jobs that were cancelled in the last hours and still have objects.

    Args:
        store: the store of jobs.
        marks: keys of the marks of cancelled jobs, and when each was last stored.
        now: the current time.
    """
    jobs = [key.removeprefix(Keys("").cancelled) for key, since in marks if now - since < SWEPT_FOR]
    remains = at_once(lambda job: store.list(f"{Keys(job).prefix}/", limit=1), jobs)
    return [job for job, found in zip(jobs, remains, strict=True) if found]
