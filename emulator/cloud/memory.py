"""Kills functions that use more memory than they are given, as Lambda does.

A limit on the process (`setrlimit`) would instead make allocations fail. Programs then end in many
ways, and some never end; on Lambda they just die.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_LOOK_EVERY_S = 0.01
_PAGE = os.sysconf("SC_PAGE_SIZE")

Limits = Iterable[tuple[int, int]]


def taken(pid: int) -> int:
    """Returns the bytes that a process has written to and holds; 0 once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return 0
    # Resident pages of files can be given back at any time, so they do not count.
    return (int(fields[1]) - int(fields[2])) * _PAGE


def enforce(limits: Callable[[], Limits]) -> None:
    """Watches processes for as long as this one lives.

    Args:
        limits: Returns the ids of running processes, each with its limit in bytes.
    """

    def watch() -> None:
        while True:
            for pid, limit in limits():
                if taken(pid) > limit:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK_EVERY_S)

    threading.Thread(target=watch, name="memory", daemon=True).start()
