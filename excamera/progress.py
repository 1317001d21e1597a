"""What is known of an encode while it runs, for whoever shows it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

from excamera.job.steps import ENCODING, STEP_NAMES, STEPS
from mu import Observer, TaskRecord

_PHASES = {step.name: step.phase for step in STEPS if step.phase}
_SPEED_S = 10.0
"""The speed is that of the last seconds."""


class Cell(Enum):
    """How far a batch is."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRIED = "retried"
    DONE = "done"


class Following(Observer):
    """What is known of an encode while it runs.

    Attributes:
        phase: in words; "" before the first.
        phases: those so far.
        frames: of the film; 0 before it is planned.
        batches: how far each is.
        retries: attempts of any task beyond its first.
        frames_done: how many frames are encoded, now or by an earlier run.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.phase = ""
        self.phases: list[str] = []
        self.frames = 0
        self.batches: list[Cell] = []
        self.retries = 0
        self.frames_done = 0
        self._clock = clock
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

    def facts(self) -> dict[str, Any]:
        """What programs are told of it; docs/cli.md describes the fields."""
        return {
            "frames_done": self.frames_done,
            "frames": self.frames,
            "batches_done": self.count(Cell.DONE),
            "batches_running": self.count(Cell.RUNNING) + self.count(Cell.RETRIED),
            "batches": len(self.batches),
            "retries": self.retries,
            "fps": round(self.fps, 2),
            "seconds_left": None if self.left_s is None else round(self.left_s, 1),
            "bytes": self.bytes,
            "kbit_s": None if self.kbit_s is None else round(self.kbit_s, 1),
        }

    # ---- what a subclass does ----

    def note(self, text: str) -> None:
        """A user should know this of the source or of this machine."""

    def planned(self, result: dict[str, Any]) -> None:
        """The batches are known."""

    def entered(self) -> None:
        """A phase began."""

    def moved(self) -> None:
        """More is encoded."""

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
