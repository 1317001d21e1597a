"""`python -m tests.support.kill_at STEP NUMBER FRAMES encode ...`: an encode that kills itself.

It does so when the task of that number of a step begins; for the step `join`, when it hears that
so many frames of the batch of that number, which are all, are encoded; for the step `copy`, when a
part of the output is written.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import Any, BinaryIO

import excamera.cli.encode
import excamera.local
from excamera.cli import main
from mu import Executor, Observer, TaskRecord
from mu.engines.coordinator import Run

SPAN_PIXELS = 90_000
"""So that a clip of 200 frames of 32x32 has spans."""


class WithSpans(Executor):
    """Runs the flow with surveys of short spans."""

    def start(self, flow: Any, event: Any, **more: Any) -> Run:
        """See `Executor.start`."""
        return super().start(flow, {**event, "span_pixels": SPAN_PIXELS}, **more)


def kill() -> None:
    """End this process as the kernel ends one if memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


class Killing(Observer):
    """Kills the process at a place."""

    def __init__(self, step: str, number: int, frames: int) -> None:
        self._step, self._number, self._frames = step, number, frames

    def started(self, record: TaskRecord) -> None:
        """A task began."""
        if (record.name, record.number) == (self._step, self._number):
            kill()

    def message(self, task: str, message: dict[str, Any]) -> None:
        """A batch got further."""
        place = ("join", self._number, self._frames)
        if (self._step, message["batch"], message["frames"]) == place:
            kill()


def _copy_a_part(source: BinaryIO, target: BinaryIO, _length: int = 0) -> None:
    target.write(source.read(100))
    target.flush()
    kill()


def encode(step: str, number: int, frames: int, arguments: list[str]) -> int:
    """Run the command line."""
    real = excamera.local.encode_file

    def killing(*given: Any, **more: Any) -> Any:
        more["observer"] = Killing(step, number, frames)
        return real(*given, **more)

    excamera.cli.encode.encode_file = killing
    excamera.local.Executor = WithSpans  # type: ignore[misc]
    if step == "copy":
        shutil.copyfileobj = _copy_a_part  # type: ignore[assignment]
    return main(arguments)


if __name__ == "__main__":
    sys.exit(encode(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
