"""Progress of an encode: one moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from excamera.job.steps import ENCODING, STEP_NAMES, STEPS
from mu import Observer, TaskRecord
from mu.cli.moving_line import MovingLine

_PHASES = {step.name: step.phase for step in STEPS if step.phase}
_BAR = 24
_REDRAW_S = 0.1
_PLAIN_STEPS = 10


class ProgressObserver(Observer):
    """Counts frames.

    Args:
        out: where lines go.
        moving: whether `out` is a terminal on which a line may be redrawn.
    """

    def __init__(self, out: TextIO, moving: bool) -> None:
        self._out = out
        self._line = MovingLine(out, moving)
        self._phase = ""
        self._place = -1
        self._all_frames = 0
        self._frames: dict[tuple[int, int], int] = {}
        self._began: float | None = None
        self._drawn = 0.0
        self._tenth = 0

    def started(self, record: TaskRecord) -> None:
        """A task began."""
        if self._began is None and record.name == ENCODING:
            self._began = time.monotonic()
        if record.name in _PHASES:
            self._enter(record.name)

    def finished(self, record: TaskRecord) -> None:
        """A task ended."""
        if record.error is not None:
            return
        if record.name == "plan":
            self._all_frames = record.result["frames"]
            counts = (_count(record.result[f"{unit}s"], unit) for unit in ("frame", "chunk"))
            batches = record.result["batches"]
            self.say(f"{' in '.join(counts)}, {batches} batch{'es' if batches != 1 else ''}")
        if record.name == ENCODING:
            self._encoded(record.event, record.result["frames"])

    def message(self, task: str, message: dict[str, Any]) -> None:
        """A share got further."""
        if task == ENCODING:
            self._encoded(message, message["frames"])

    def close(self) -> None:
        """Remove the moving line."""
        self._line.clear()

    def line(self) -> str:
        """The state in one line: phase, frames done, frames a second, time left."""
        done = sum(self._frames.values())
        text = f"{self._phase}: {done}/{self._all_frames} frames"
        elapsed = time.monotonic() - self._began if self._began is not None else 0.0
        if elapsed > 0 and done:
            minutes, seconds = divmod(round(elapsed * (self._all_frames - done) / done), 60)
            text += f", {done / elapsed:.1f} fps, {minutes}:{seconds:02d} left"
        return text

    def _encoded(self, share: dict[str, Any], frames: int) -> None:
        self._frames[share["batch"], share["share"]] = frames
        self._show()

    def _enter(self, step: str) -> None:
        # A later batch may still be at an earlier step, unless the job begins again.
        place = STEP_NAMES.index(step)
        if place > self._place or place == 0:
            if place == 0:
                self._frames.clear()
            self._place, self._phase = place, _PHASES[step]
            self._drawn = 0.0
            if self._line.moving:
                self._show()
            else:
                self.say(self._phase)

    def _show(self) -> None:
        done, total = sum(self._frames.values()), max(1, self._all_frames)
        if not self._line.moving:
            tenth = _PLAIN_STEPS * done // total
            if tenth > self._tenth:
                self._tenth = tenth
                self.say(self.line())
            return
        now = time.monotonic()
        if now - self._drawn < _REDRAW_S and done < total:
            return
        self._drawn = now
        filled = _BAR * done // total
        text = self.line()
        self._line.show(f"[{'#' * filled}{'.' * (_BAR - filled)}] {text}", text)

    def say(self, text: str) -> None:
        """Write a line."""
        self.close()
        self._out.write(text + "\n")
        self._out.flush()


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
