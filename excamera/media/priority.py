"""Encoders share the processors with everybody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def usual_priority() -> Iterator[None]:
    """Undoes what opening an encoder does to the priority of threads: its own, and the caller's.

    SVT-AV1 makes them real-time threads wherever it may, that is as root, as in most containers.
    Nothing else of the machine would run beside them, and they could wait for what
    does not run. macOS has no way to ask for another thread's priority.
    """
    if not _THREADS.exists():
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    before = set(_threads())
    try:
        yield
    finally:
        for thread in {0, *_threads()} - before:
            with suppress(ProcessLookupError):  # it has ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, priority)


def _threads() -> Iterator[int]:
    return (int(one.name) for one in _THREADS.iterdir())
