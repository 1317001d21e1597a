"""The programs in `examples/`, as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.shared import ROOT


def run_example(
    name: str, *arguments: str | Path, inside: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run an example in a folder."""
    return subprocess.run(
        [sys.executable, "-m", f"examples.{name}", *map(str, arguments)],
        cwd=inside, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def lines_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines that an example printed; fails if it did not end well."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which an example refused to run; fails if there was no such line."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line
