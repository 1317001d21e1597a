"""What this machine has."""

from __future__ import annotations

import os


def available_cpus() -> int:
    """The number of CPUs that this process may use, at least 1."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return max(1, os.cpu_count() or 1)
