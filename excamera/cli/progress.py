"""Progress of an encode: one moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from mu import Observer, TaskRecord

_PHASES = {
    "plan": "reading the source",
    "encode": "encoding",
    "rebase": "joining",
    "stitch": "stitching",
}
# Joining a frame takes a fraction of encoding it: weights for the time left.
_WEIGHTS = {"encode": 1.0, "rebase": 0.5}
_BAR = 24
_REDRAW_S = 0.1
_PLAIN_STEPS = 10


class ProgressObserver(Observer):
    """Counts chunks, batches and frames.

    Args:
        out: where lines go.
        moving: whether `out` is a terminal on which a line may be redrawn.
    """

    def __init__(self, out: TextIO, moving: bool) -> None:
        self._out = out
        self._moving = moving
        self._phase = ""
        self._total = {"encode": 0, "rebase": 0}
        self._done = {"encode": 0, "rebase": 0}
        self._frames = {"encode": 0, "rebase": 0}
        self._all_frames = 0
        self._began: float | None = None
        self._drawn = 0.0
        self._tenth = 0
        self._width = 0

    def started(self, record: TaskRecord) -> None:
        """A task began."""
        if self._began is None and record.name == "encode":
            self._began = time.monotonic()
        joining = record.name == "rebase" and self._done["encode"] < self._total["encode"]
        if record.name in _PHASES and not joining:
            self._enter(_PHASES[record.name])

    def finished(self, record: TaskRecord) -> None:
        """A task ended."""
        if record.error is not None:
            return
        if record.name == "plan":
            self._all_frames = record.result["frames"]
            self._total["encode"] = record.result["chunks"]
            self._total["rebase"] = record.result["batches"]
            counts = (_count(record.result[f"{unit}s"], unit) for unit in ("frame", "chunk"))
            batches = record.result["batches"]
            self._say(f"{' in '.join(counts)}, {batches} batch{'es' if batches != 1 else ''}")
        if record.name in self._done:
            self._done[record.name] += 1
            self._frames[record.name] += record.result["frames"]
            self._show()

    def close(self) -> None:
        """Remove the moving line."""
        if self._moving and self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0

    def line(self) -> str:
        """The state in one line: phase, chunks done, frames a second, time left."""
        done, total = self._done["encode"], self._total["encode"]
        if self._phase == _PHASES["rebase"]:
            done, total = self._done["rebase"], self._total["rebase"]
        unit = "batches" if self._phase == _PHASES["rebase"] else "chunks"
        fps, left = self._speed()
        text = f"{self._phase}: {done}/{total} {unit}"
        if fps is not None:
            text += f", {fps:.1f} fps"
        if left is not None:
            minutes, seconds = divmod(round(left), 60)
            text += f", {minutes}:{seconds:02d} left"
        return text

    def _speed(self) -> tuple[float | None, float | None]:
        elapsed = time.monotonic() - self._began if self._began is not None else 0.0
        if elapsed <= 0 or not self._frames["encode"]:
            return None, None
        work = sum(weight * self._frames[task] for task, weight in _WEIGHTS.items())
        whole = sum(_WEIGHTS.values()) * self._all_frames
        return self._frames["encode"] / elapsed, elapsed * (whole - work) / work

    def _enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._drawn = 0.0
            if self._moving:
                self._show()
            else:
                self._say(phase)

    def _show(self) -> None:
        done = self._done["encode"] + self._done["rebase"]
        total = max(1, self._total["encode"] + self._total["rebase"])
        if not self._moving:
            tenth = _PLAIN_STEPS * done // total
            if tenth > self._tenth:
                self._tenth = tenth
                self._say(self.line())
            return
        now = time.monotonic()
        if now - self._drawn < _REDRAW_S and done < total:
            return
        self._drawn = now
        filled = _BAR * done // total
        text = f"[{'#' * filled}{'.' * (_BAR - filled)}] {self.line()}"
        self._out.write("\r" + text.ljust(self._width))
        self._out.flush()
        self._width = len(text)

    def _say(self, text: str) -> None:
        self.close()
        self._out.write(text + "\n")
        self._out.flush()

    def message(self, task: str, message: dict[str, Any]) -> None:
        """A batch got further: keep the line alive."""
        if self._moving:
            self._show()


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'s' if number != 1 else ''}"


@contextlib.contextmanager
def progress_observer() -> Iterator[ProgressObserver]:
    """An observer on standard error that tidies up after itself."""
    observer = ProgressObserver(sys.stderr, sys.stderr.isatty())
    try:
        yield observer
    finally:
        observer.close()
