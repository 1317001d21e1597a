"""Removing a job's objects, also those that its workers still write.

Stopping an execution does not stop the functions it has called: they run on and store what they
have made. So who cancels a job first leaves a mark, and every worker looks for it after its last
write. Whichever comes second, the mark or the write, sees the other: nothing stays behind.
"""

from __future__ import annotations

from excamera.job.objects import Keys
from mu import Store


def cancel(store: Store, keys: Keys) -> int:
    """Mark a job as cancelled and remove its objects; gives how many there were."""
    store.put(keys.cancelled, b"")
    return sweep(store, keys)


def is_cancelled(store: Store, keys: Keys) -> bool:
    """Whether a job's objects are not wanted any more."""
    return store.exists(keys.cancelled)


def sweep(store: Store, keys: Keys) -> int:
    """Remove all of a job's objects; gives how many there were."""
    found = store.list(f"{keys.prefix}/")
    store.delete_all(found)
    return len(found)
