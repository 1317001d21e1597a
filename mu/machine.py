"""What this machine has, and what runs on it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def available_cpus() -> int:
    """The number of CPUs that this process may use, at least 1."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return max(1, os.cpu_count() or 1)


def memory_for_data() -> int:
    """Bytes that this process may fill with data, if one of its kind works on each CPU.

    Half of its memory: the rest is for code, and for what is made of the data.
    """
    function = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    if function is not None:
        return int(function) * 2**20 // 2
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return memory // available_cpus() // 2


def adopt_orphans() -> None:
    """Make processes whose parent has ended children of this one, if they descend from it.

    So `children` finds also what a program has started and left. Linux only; elsewhere nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> set[int]:
    """Processes that a process has started; none where there is no `/proc`."""
    return set(_children_by_parent()[pid])


def end_with_descendants(pids: Iterable[int]) -> None:
    """Kill processes with all that they have started."""
    stopped: list[int] = []
    new = list(pids)
    while new:
        # Who is stopped starts nothing more while the others are looked for.
        for pid in new:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)
        stopped += new
        found = _children_by_parent()
        new = [child for pid in stopped for child in found[pid] if child not in stopped]
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _children_by_parent() -> defaultdict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program comes before, in brackets, and may hold any sign.
            _, _, rest = stat.read_text(errors="replace").rpartition(")")
            found[int(rest.split()[1])].append(int(stat.parent.name))
    return found
