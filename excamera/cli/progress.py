"""Progress of an encode: one moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, TextIO

from excamera.job.steps import COUNTED, STEP_NAMES, STEPS
from mu import Observer, TaskRecord
from mu.cli.moving_line import MovingLine

_PHASES = {step.name: step.phase for step in STEPS if step.phase}
_FIRST = COUNTED[0].name
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
        self._line = MovingLine(out, moving)
        self._phase = ""
        self._place = -1
        self._anchored = False
        self._total = {step.name: 0 for step in COUNTED}
        self._done = dict(self._total)
        self._frames = dict(self._total)
        self._all_frames = 0
        self._began: float | None = None
        self._drawn = 0.0
        self._tenth = 0

    def started(self, record: TaskRecord) -> None:
        """A task began."""
        if self._began is None and record.name == _FIRST:
            self._began = time.monotonic()
        if record.name == "anchors" and not self._anchored:
            return
        if record.name in _PHASES and not self._is_early(record.name):
            self._enter(record.name)

    def finished(self, record: TaskRecord) -> None:
        """A task ended."""
        if record.error is not None:
            return
        if record.name == "plan":
            self._all_frames = record.result["frames"]
            self._anchored = bool(record.result["anchored"])
            for step in COUNTED:
                self._total[step.name] = record.result[step.per.value]
            counts = (_count(record.result[f"{unit}s"], unit) for unit in ("frame", "chunk"))
            batches = record.result["batches"]
            self._say(f"{' in '.join(counts)}, {batches} batch{'es' if batches != 1 else ''}")
        if record.name in self._done:
            self._done[record.name] += 1
            self._frames[record.name] += record.result["frames"]
            self._show()

    def close(self) -> None:
        """Remove the moving line."""
        self._line.clear()

    def line(self) -> str:
        """The state in one line: phase, chunks done, frames a second, time left."""
        step = next((step for step in COUNTED if step.phase == self._phase), COUNTED[0])
        fps, left = self._speed()
        text = f"{self._phase}: {self._done[step.name]}/{self._total[step.name]} {step.per.value}"
        if fps is not None:
            text += f", {fps:.1f} fps"
        if left is not None:
            minutes, seconds = divmod(round(left), 60)
            text += f", {minutes}:{seconds:02d} left"
        return text

    def _speed(self) -> tuple[float | None, float | None]:
        elapsed = time.monotonic() - self._began if self._began is not None else 0.0
        if elapsed <= 0 or not self._frames[_FIRST]:
            return None, None
        work = sum(step.weight * self._frames[step.name] for step in COUNTED)
        whole = sum(step.weight for step in COUNTED) * self._all_frames
        return self._frames[_FIRST] / elapsed, elapsed * (whole - work) / work

    def _is_early(self, name: str) -> bool:
        """Whether a counted step began while one before it goes on: its phase is not shown yet."""
        before = takewhile(lambda step: step.name != name, COUNTED)
        return name in self._done and any(
            self._done[step.name] < self._total[step.name] for step in before
        )

    def _enter(self, step: str) -> None:
        # A later batch may still be at an earlier step, unless the job begins again.
        place = STEP_NAMES.index(step)
        if place > self._place or place == 0:
            self._place, self._phase = place, _PHASES[step]
            self._drawn = 0.0
            if self._line.moving:
                self._show()
            else:
                self._say(self._phase)

    def _show(self) -> None:
        done = sum(self._done.values())
        total = max(1, sum(self._total.values()))
        if not self._line.moving:
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
        text = self.line()
        self._line.show(f"[{'#' * filled}{'.' * (_BAR - filled)}] {text}", text)

    def _say(self, text: str) -> None:
        self.close()
        self._out.write(text + "\n")
        self._out.flush()

    def message(self, task: str, message: dict[str, Any]) -> None:
        """A batch got further: keep the line alive."""
        if self._line.moving:
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
