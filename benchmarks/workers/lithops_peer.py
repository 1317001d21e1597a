"""Lithops' localhost mode, in an environment of its own: it has many dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from benchmarks.common.circumstances import ROOT

ENVIRONMENT = ROOT / "build" / "lithops"
"""`make build/lithops/.installed` makes it."""

_MOST_S = 60.0
_CHILD = Path(__file__).with_name("lithops_child.py")


class Lithops:
    """A process that asks Lithops to make calls, when it is told to."""

    def __init__(self, workers: int) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="lithops-")
        # It starts its workers as `python`.
        programs = ENVIRONMENT / "bin"
        path = f"{programs}:{os.environ['PATH']}"
        self._process = subprocess.Popen(
            [programs / "python", _CHILD, str(workers)],
            env={**os.environ, "HOME": self._home.name, "PATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
        )
        self.start_s = float(self._answer())

    def __enter__(self) -> Lithops:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._home.cleanup()

    def ask(self, how: str, count: int) -> float | None:
        """Returns the seconds that so many calls took; None if that is very long."""
        assert self._process.stdin is not None
        if self._process.poll() is None:
            print(how, count, file=self._process.stdin, flush=True)
            late = threading.Timer(_MOST_S, self._process.kill)
            late.start()
            try:
                return float(self._answer())
            except RuntimeError:
                print(f"Lithops: {how} takes longer than {_MOST_S} s", flush=True)
            finally:
                late.cancel()
        return None

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("Lithops ended without an answer")
        return line


def available() -> bool:
    """Whether it is installed."""
    return (ENVIRONMENT / ".installed").exists()
