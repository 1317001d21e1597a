"""What removes the objects of cancelled jobs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from excamera.job.objects import Keys
from excamera.lifecycle import cancel
from mu import MemoryStore, StoreUnavailable

KEYS = Keys("film-1")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def with_objects(store: MemoryStore, count: int) -> MemoryStore:
    """Stores so many objects of the job, and one of a job whose name begins alike."""
    for number in range(count):
        store.put(f"{KEYS.prefix}/chunks/{number:06d}", b"")
    store.put("jobs/film-10/plan.json", b"")
    return store


class Busy(MemoryStore):
    """A store that at first removes only some of what it is asked to."""

    refusals = 2

    def delete_all(self, keys: Iterable[str]) -> None:
        """See `Store.delete_all`."""
        if self.refusals:
            self.refusals -= 1
            super().delete_all(list(keys)[::2])
            raise StoreUnavailable("slow down")
        super().delete_all(keys)


def test_a_sweep_removes_the_objects_of_one_job() -> None:
    """If this fails, a large job keeps objects, or another job loses some."""
    store = with_objects(MemoryStore(), 9001)
    assert cancel.sweep(store, KEYS) == 9001
    assert store.list() == ["jobs/film-10/plan.json"]


def test_a_sweep_goes_on_when_the_store_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, S3's request to slow down ends a sweep, or it takes a refusal for success."""
    pauses: list[float] = []
    monkeypatch.setattr(cancel.time, "sleep", pauses.append)
    store = with_objects(Busy(), 100)
    assert cancel.sweep(store, KEYS) is not None
    assert store.list(KEYS.prefix + "/") == []
    assert len(pauses) == 2


def test_a_sweep_without_time_says_that_there_may_be_more() -> None:
    """If this fails, a sweep runs into its function's time limit, or claims to be complete."""
    store = with_objects(MemoryStore(), 9001)
    turns = iter([True, False])
    assert cancel.sweep(store, KEYS, lambda: next(turns)) is None
    assert 0 < len(store.list(KEYS.prefix + "/")) < 9001
    assert cancel.sweep(store, KEYS) is not None
    assert store.list(KEYS.prefix + "/") == []


@pytest.mark.parametrize(("there", "left"), [(3, 0), (1000, 0), (1001, 1001)])
def test_a_worker_leaves_a_large_job_to_the_sweep(there: int, left: int) -> None:
    """If this fails, workers leave objects, or each of a thousand removes the whole job."""
    store = with_objects(MemoryStore(), there)
    cancel.mark(store, KEYS)
    assert cancel.is_cancelled(store, KEYS)
    assert cancel.forget(store, KEYS) == there - left
    assert len(store.list(KEYS.prefix + "/")) == left


def test_jobs_whose_sweep_died_are_found() -> None:
    """If this fails, a job whose sweep died keeps its objects, or sweeps never end."""
    store = with_objects(MemoryStore(), 5)
    marks = [
        (Keys("film-1").cancelled, NOW - timedelta(minutes=5)),
        (Keys("film-2").cancelled, NOW - timedelta(minutes=5)),
        (Keys("film-10").cancelled, NOW - cancel.SWEPT_FOR),
    ]
    assert cancel.unswept(store, marks, now=NOW) == ["film-1"]
