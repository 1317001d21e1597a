"""The program that encodes one job of the console; `python -m excamera.console.runner`.

It reads one line of JSON, an `Order`, from standard input, and writes a line of JSON for each
thing that happens. If standard input ends, whoever ordered the job is gone, and it ends, too. A
job can so be stopped at any time, and no job takes the console with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codec.errors import CodecError
from excamera.errors import ExCameraError
from excamera.job.options import EncodeOptions
from excamera.job.steps import NUMBERS
from excamera.local import encode_file
from excamera.progress import Following
from mu import MuError, TaskFailed

_TELL_EVERY_S = 0.25
_EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be encoded.

    Attributes:
        source: path of the source.
        output: path of the result.
        objects: folder for the job's objects, from which it can go on.
        options: as `EncodeOptions.from_json` takes them.
    """

    source: str
    output: str
    objects: str
    options: Mapping[str, Any]

    def to_json(self) -> str:
        """The order as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Order:
        """The inverse of `to_json`."""
        return cls(**json.loads(text))


class _Told(Following):
    """Tells all that happens."""

    def __init__(self) -> None:
        super().__init__()
        self._last = float("-inf")
        self._batches = 0

    def note(self, text: str) -> None:
        """See `Following.note`."""
        tell("note", text=text)

    def planned(self, result: dict[str, Any]) -> None:
        """See `Following.planned`."""
        tell("plan", summary=result)

    def entered(self) -> None:
        """See `Following.entered`."""
        tell("phase", phase=self.phase)

    def moved(self) -> None:
        """See `Following.moved`."""
        facts, now = self.facts(), time.monotonic()
        all_done = facts["frames_done"] == facts["frames"]
        if now - self._last < _TELL_EVERY_S and not all_done:
            return
        self._last = now
        tell("progress", **facts)


def tell(event: str, **fields: Any) -> None:
    """Write what happened."""
    line = json.dumps({"event": event, "time": round(time.time(), 3), **fields})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Encode what standard input orders; returns 0, or 1 if the job failed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    order = Order.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        result = encode_file(
            order.source,
            Path(order.output),
            EncodeOptions.from_json(order.options),
            overwrite=True,
            keep_job=Path(order.objects),
            observer=_Told(),
            say=lambda text: tell("message", text=text),
        )
    except KeyboardInterrupt:
        return 128 + signal.SIGTERM
    except (ExCameraError, MuError, CodecError, OSError) as error:
        tell("failed", **_failure(error))
        return _EXIT_FAILED
    files = [path.name for path in result.files]
    tell("result", **{**asdict(result), "path": str(result.path), "files": files})
    return 0


def _failure(error: BaseException) -> dict[str, Any]:
    task = error if isinstance(error, TaskFailed) else error.__cause__
    found: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
    if isinstance(task, TaskFailed):
        event = task.event or {}
        found |= {"step": task.task, "exception": task.details or None}
        found |= {name: event[name] for name in NUMBERS if name in event}
    return found


def _end_with_input() -> None:
    with contextlib.suppress(OSError, ValueError):
        # Without the buffer, whose lock the interpreter wants at its end.
        while os.read(0, 1 << 12):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
