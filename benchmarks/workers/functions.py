"""What the workers of all contenders are asked to do."""

from __future__ import annotations

import os
import time
from pathlib import Path

_PAUSE_S = 0.002


def tiny(number: int) -> int:
    """Does next to nothing, so the time of a call is what the executor adds to it."""
    return number + 1


def length(data: bytes) -> int:
    """Takes a large argument."""
    return len(data)


def made(size: int) -> bytes:
    """Gives a large result."""
    return bytes(size)


def meet(folder: str, count: int) -> int:
    """Waits until so many processes are here: each worker can answer one such call only."""
    Path(folder, str(os.getpid())).touch()
    while len(os.listdir(folder)) < count:  # noqa: PTH208 (what is timed)
        time.sleep(_PAUSE_S)
    return os.getpid()
