"""Kills functions that take more memory than they have, as Lambda does.

A limit of the process (`setrlimit`) would refuse it memory instead. Programs that are refused
memory end in many ways, some of them never; Lambda's just die.
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
    """Bytes of memory that a process has written to and holds; 0 once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return 0
    # Of what is resident, pages of files can be given back at any time.
    return (int(fields[1]) - int(fields[2])) * _PAGE


def enforce(limits: Callable[[], Limits]) -> None:
    """Looks after processes for as long as this one lives.

    Args:
        limits: Gives the ids of processes that run now, each with its limit in bytes.
    """

    def watch() -> None:
        while True:
            for pid, limit in limits():
                if taken(pid) > limit:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK_EVERY_S)

    threading.Thread(target=watch, name="memory", daemon=True).start()
