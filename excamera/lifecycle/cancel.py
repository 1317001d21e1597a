"""Removes a job's objects, including those that its workers still write.

Stopping an execution does not stop the functions that it has called: they run on and store their
results. So the caller that cancels a job first leaves a mark, and every worker looks for it after
its last write. Whichever comes second, the mark or the write, sees the other, so nothing remains.
"""

from __future__ import annotations

from excamera.job.objects import Keys
from mu import Store


def cancel(store: Store, keys: Keys) -> int:
    """Mark a job as cancelled and remove its objects; returns how many there were."""
    mark_cancelled(store, keys)
    return sweep(store, keys)


def mark_cancelled(store: Store, keys: Keys) -> None:
    """Mark a job as cancelled."""
    store.put(keys.cancelled, b"")


def is_cancelled(store: Store, keys: Keys) -> bool:
    """Whether a job was cancelled, so that its objects are no longer wanted."""
    return store.exists(keys.cancelled)


def sweep(store: Store, keys: Keys) -> int:
    """Remove all of a job's objects; returns how many there were."""
    found = store.list(f"{keys.prefix}/")
    store.delete_all(found)
    return len(found)
