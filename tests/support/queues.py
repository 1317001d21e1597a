"""A queue of jobs in a store, and who lets them start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from excamera.lifecycle.admission import Waiting, admit, enqueue
from mu import Event, MemoryStore

MB = 1 << 20
LARGE = 4000 * MB
"""Bytes of a source whose job can use all workers."""


def wait(store: MemoryStore, job: str, *, at: float = 0, size: int = LARGE, **more: Any) -> Waiting:
    """Adds a job to the queue."""
    return enqueue(Waiting({"job": job, "size": size, **more}, at), store)


def always(_event: Event, _workers: int) -> bool:
    """Starts any job."""
    return True


def started_by(
    store: MemoryStore,
    capacity: int,
    *,
    most: int = 961,
    start: Callable[[Event, int], bool] = always,
    now: float = 1000.0,
) -> list[str]:
    """Returns the jobs that start now."""
    return admit(store, capacity=capacity, most=most, start=start, clock=lambda: now)
