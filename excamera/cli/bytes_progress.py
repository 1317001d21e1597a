"""Progress of a transfer: one moving line on a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from mu.cli.moving_line import MovingLine

_BAR = 24
_REDRAW_S = 0.1


@contextlib.contextmanager
def bytes_progress(what: str, total: int, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A function that any thread calls with the number of bytes that have arrived.

    Args:
        what: is under way.
        total: bytes.
        shown: whether somebody wants to see it.
    """
    line = MovingLine(sys.stderr, shown and sys.stderr.isatty())
    lock = threading.Lock()
    begun, drawn, done = time.monotonic(), 0.0, 0

    def got(count: int) -> None:
        nonlocal drawn, done
        with lock:
            done += count
            now = time.monotonic()
            if not line.moving or (now - drawn < _REDRAW_S and done < total):
                return
            drawn = now
            filled = _BAR * done // max(1, total)
            rate = done / max(1e-3, now - begun)
            text = f"{what}: {done / 1e6:,.1f}/{total / 1e6:,.1f} MB, {rate / 1e6:,.1f} MB/s"
            line.show(f"[{'#' * filled}{'.' * (_BAR - filled)}] {text}", text)

    try:
        yield got
    finally:
        line.clear()
