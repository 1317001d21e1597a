"""Progress of an encode: what is known of it, and the plain ways to show it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TextIO

from excamera.cli.decisions import of_plan, of_sound
from excamera.job.steps import ENCODING, STEP_NAMES, STEPS
from excamera.media.words import counted
from mu import Observer, TaskRecord
from mu.cli.moving_line import MovingLine

WAYS = ("auto", "plain", "json", "none")
"""What `--progress` takes."""

_PHASES = {step.name: step.phase for step in STEPS if step.phase}
_BAR = 24
_REDRAW_S = 0.1
_PLAIN_STEPS = 10
_SPEED_S = 10.0
"""The speed is that of the last seconds."""

_TELL_EVERY_S = 1.0
_NARROW = 50
"""Columns of a terminal below which only one line is shown."""


class Cell(Enum):
    """How far a batch is."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRIED = "retried"
    DONE = "done"


class Progress(Observer):
    """What is known of an encode; shows nothing.

    Attributes:
        phase: in words; "" before the first.
        phases: those so far.
        frames: of the film; 0 before it is planned.
        batches: how far each is.
        retries: attempts of any task beyond its first.
        frames_done: how many frames are encoded, now or by an earlier run.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, verbose: bool = False) -> None:
        self.phase = ""
        self.phases: list[str] = []
        self.frames = 0
        self.batches: list[Cell] = []
        self.retries = 0
        self.frames_done = 0
        self._clock = clock
        self._verbose = verbose
        self._step_at = -1
        self._duration_s = 0.0
        self._done: dict[tuple[int, int], int] = {}
        self._found = 0
        self._sizes: dict[int, tuple[int, int]] = {}
        self._speeds: deque[tuple[float, int]] = deque()

    # ---- what is told ----

    def started(self, record: TaskRecord) -> None:
        """A task began."""
        self.retries += record.attempts > 1
        if record.name == ENCODING:
            if not self._speeds:
                self._speeds.append((self._clock(), 0))
            again = record.attempts > 1
            self._mark(record.event.get("batch"), Cell.RETRIED if again else Cell.RUNNING)
        if record.name in _PHASES:
            self._enter(record.name)

    def finished(self, record: TaskRecord) -> None:
        """A task ended."""
        if record.error is not None:
            return
        result = record.result
        if record.name == "index" and isinstance(result, dict) and "warning" in result:
            self.note(result["warning"])
        if record.name == "plan":
            self.frames = result["frames"]
            self.batches = [Cell.WAITING] * result["batches"]
            self._duration_s = result.get("duration_s", 0.0)
            self.planned(result)
            if self._verbose:
                for line in of_plan(result):
                    self.say(line)
        if record.name == "audio" and self._verbose:
            self.say(of_sound(result))
        if record.name == ENCODING:
            batch, share = record.event["batch"], record.event["share"]
            if result.get("again"):
                self._found += result["frames"] - self._done.get((batch, share), 0)
            if result.get("bytes"):
                self._sizes[batch] = result["bytes"], result["frames"]
            if record.event.get("of", 1) == 1:
                self._mark(batch, Cell.DONE)
            self._encoded(batch, share, result["frames"])

    def message(self, task: str, message: dict[str, Any]) -> None:
        """A share got further."""
        if task == ENCODING:
            for batch in range(message.get("batches_done", 0)):
                self._mark(batch, Cell.DONE)
            self._encoded(message["batch"], message["share"], message["frames"])

    # ---- what is known ----

    @property
    def fps(self) -> float:
        """Frames a second that were encoded in the last seconds; 0 if that is not known."""
        if len(self._speeds) < 2:
            return 0.0
        (began, first), (ended, last) = self._speeds[0], self._speeds[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until all is encoded, at the speed of the last seconds."""
        return (self.frames - self.frames_done) / self.fps if self.fps else None

    @property
    def bytes(self) -> int:
        """Size of the coded frames of finished batches."""
        return sum(size for size, _ in self._sizes.values())

    @property
    def kbit_s(self) -> float | None:
        """The rate of finished batches, in kbit/s."""
        frames = sum(count for _, count in self._sizes.values())
        if not (frames and self.frames and self._duration_s):
            return None
        return self.bytes * 8 / 1000 / (self._duration_s * frames / self.frames)

    def count(self, cell: Cell) -> int:
        """How many batches are so far."""
        return sum(one is cell for one in self.batches)

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

    def planned(self, result: dict[str, Any]) -> None:
        """The batches are known."""

    def entered(self) -> None:
        """A phase began."""

    def moved(self) -> None:
        """More is encoded."""

    def close(self) -> None:
        """Remove what moves."""

    # ---- inside ----

    def _mark(self, batch: int | None, cell: Cell) -> None:
        if batch is not None and batch < len(self.batches):
            self.batches[batch] = cell

    def _encoded(self, batch: int, share: int, frames: int) -> None:
        self.frames_done += frames - self._done.get((batch, share), 0)
        self._done[batch, share] = frames
        now, made = self._clock(), self.frames_done - self._found
        if not self._speeds:
            self._speeds.append((now, 0))
        self._speeds.append((now, made))
        while len(self._speeds) > 2 and self._speeds[1][0] <= now - _SPEED_S:
            self._speeds.popleft()
        self.moved()

    def _enter(self, step: str) -> None:
        # A later batch may still be at an earlier step, unless the job begins again.
        at = STEP_NAMES.index(step)
        if at > self._step_at or at == 0:
            if at == 0:
                self._done.clear()
                self.frames_done = self._found = 0
                self._speeds.clear()
                self.phases.clear()
            self._step_at, self.phase = at, _PHASES[step]
            self.phases.append(self.phase)
            self.entered()


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
        running = self.count(Cell.RUNNING) + self.count(Cell.RETRIED)
        self._tell(
            "progress",
            frames_done=self.frames_done,
            frames=self.frames,
            batches_done=done,
            batches_running=running,
            batches=len(self.batches),
            retries=self.retries,
            fps=round(self.fps, 2),
            seconds_left=None if self.left_s is None else round(self.left_s, 1),
            bytes=self.bytes,
            kbit_s=None if self.kbit_s is None else round(self.kbit_s, 1),
        )

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


@contextlib.contextmanager
def progress_observer(
    way: str = "auto", *, quiet: bool = False, verbose: bool = False
) -> Iterator[Progress]:
    """An observer on standard error that tidies up after itself.

    Args:
        way: one of `WAYS`.
        quiet: whether to say nothing at all.
        verbose: whether to explain decisions.
    """
    out = sys.stderr
    observer: Progress
    if quiet:
        observer = Progress()
    elif way == "json":
        observer = JsonProgress(out, verbose=verbose)
    elif way == "none":
        observer = _Silent(out, moving=False, verbose=verbose)
    elif way == "auto" and out.isatty() and _is_capable(out):
        # Importing rich takes longer than some commands do.
        from excamera.cli.rich_progress import RichProgress

        observer = RichProgress(out, verbose=verbose)
    else:
        observer = LineProgress(out, way == "auto" and out.isatty(), verbose=verbose)
    try:
        yield observer
    finally:
        observer.close()


class _Silent(LineProgress):
    """Says lines that stay, and shows no progress."""

    def planned(self, result: dict[str, Any]) -> None:
        """See `Progress.planned`."""

    def entered(self) -> None:
        """See `Progress.entered`."""

    def moved(self) -> None:
        """See `Progress.moved`."""


def _is_capable(out: TextIO) -> bool:
    """Whether a terminal can move its cursor, and is wide enough for more than a line."""
    if os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    try:
        columns = os.get_terminal_size(out.fileno()).columns
    except (OSError, ValueError):
        return False
    return columns >= _NARROW
