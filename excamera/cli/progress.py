"""Progress of an encode, and the plain displays of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TextIO

from excamera.cli.decisions import of_plan, of_sound
from excamera.media.words import counted
from excamera.progress import Cell, Following
from mu import TaskRecord
from mu.cli.moving_line import MovingLine

_BAR = 24
_REDRAW_S = 0.1
_PLAIN_STEPS = 10
_TELL_EVERY_S = 1.0


class Progress(Following):
    """What is known of an encode, in words; shows nothing.

    Args:
        clock: tells seconds.
        verbose: whether to explain decisions.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, verbose: bool = False) -> None:
        super().__init__(clock)
        self._verbose = verbose

    def finished(self, record: TaskRecord) -> None:
        """A task ended."""
        super().finished(record)
        if record.error is not None or not self._verbose:
            return
        if record.name == "plan":
            for line in of_plan(record.result):
                self.say(line)
        if record.name == "audio":
            self.say(of_sound(record.result))

    def line(self) -> str:
        """The state in one line: phase, frames done, frames a second, time left, rate."""
        text = f"{self.phase}: {self.frames_done}/{self.frames} frames"
        if self.left_s is not None:
            text += f", {self.fps:.1f} fps, {clock_of(self.left_s)} left"
        if self.kbit_s is not None:
            text += f", {self.kbit_s:,.0f} kbit/s"
        return text

    # ---- what a display does ----

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def note(self, text: str) -> None:
        """Show what a user should know of the source."""
        self.say(f"note: {text}")

    def close(self) -> None:
        """Remove what moves."""


class LineProgress(Progress):
    """Plain lines; or one moving line on a terminal that is narrow, or can do no more.

    Args:
        out: where lines go.
        moving: whether `out` is a terminal on which a line may be redrawn.
        more: see `Progress`.
    """

    def __init__(self, out: TextIO, moving: bool, **more: Any) -> None:
        super().__init__(**more)
        self._out = out
        self._line = MovingLine(out, moving)
        self._drawn = 0.0
        self._tenth = 0

    def say(self, text: str) -> None:
        """See `Progress.say`."""
        self.close()
        self._out.write(text + "\n")
        self._out.flush()

    def planned(self, result: dict[str, Any]) -> None:
        """See `Progress.planned`."""
        self.say(summary_of(result))

    def entered(self) -> None:
        """See `Progress.entered`."""
        self._drawn = 0.0
        if self._line.moving:
            self.moved()
        else:
            self.say(self.phase)

    def moved(self) -> None:
        """See `Progress.moved`."""
        done, total = self.frames_done, max(1, self.frames)
        if not self._line.moving:
            tenth = _PLAIN_STEPS * done // total
            if tenth > self._tenth:
                self._tenth = tenth
                self.say(self.line())
            return
        now = self._clock()
        if now - self._drawn < _REDRAW_S and done < total:
            return
        self._drawn = now
        filled = _BAR * done // total
        text = self.line()
        short = text.rpartition(", ")[0] if self.kbit_s is not None else text
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}]"
        self._line.show(f"{bar} {text}", f"{bar} {short}", text, short)

    def close(self) -> None:
        """See `Progress.close`."""
        self._line.clear()


class JsonProgress(Progress):
    """One JSON object a line; docs/cli.md describes them."""

    def __init__(self, out: TextIO, **more: Any) -> None:
        super().__init__(**more)
        self._out = out
        self._told = float("-inf")
        self._told_batches = 0

    def say(self, text: str) -> None:
        """See `Progress.say`."""
        self._tell("message", text=text)

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        self._tell("note", text=text)

    def planned(self, result: dict[str, Any]) -> None:
        """See `Progress.planned`."""
        self._tell("plan", frames=self.frames, chunks=result["chunks"], batches=result["batches"],
                   duration_s=result.get("duration_s"))  # fmt: skip

    def entered(self) -> None:
        """See `Progress.entered`."""
        self._tell("phase", phase=self.phase)

    def moved(self) -> None:
        """See `Progress.moved`."""
        now, done = self._clock(), self.count(Cell.DONE)
        if now - self._told < _TELL_EVERY_S and done == self._told_batches:
            return
        self._told, self._told_batches = now, done
        self._tell("progress", **self.facts())

    def _tell(self, event: str, **fields: Any) -> None:
        self._out.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        self._out.flush()


def summary_of(result: dict[str, Any]) -> str:
    """A plan in one line."""
    counts = " in ".join(counted_plainly(result[f"{unit}s"], unit) for unit in ("frame", "chunk"))
    return f"{counts}, {counted(result['batches'], 'batch', 'batches')}"


def counted_plainly(number: int, unit: str) -> str:
    """A number of things in words."""
    return f"{number} {unit}{'s' if number != 1 else ''}"


def clock_of(seconds: float) -> str:
    """Seconds as minutes and seconds, or hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
