"""What a call prints, kept so that its last lines can be told with its failure."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

_TAIL_BYTES = 16 << 10


def redirect(folder: Path) -> None:
    """From now on, all that this process and its children print goes to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(_path(folder, os.getpid()), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    for printed in (1, 2):
        os.dup2(file, printed)
    os.close(file)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            # The lines before a sudden death are those that matter.
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def begin() -> None:
    """Forget what was printed before; nothing happens if nothing is redirected."""
    os.ftruncate(1, 0)


def tail() -> str:
    """The last lines that this process printed since `begin`."""
    sys.stdout.flush()
    return _end_of(1)


def tail_of(folder: Path, pid: int) -> str:
    """The last lines of a process that may have ended.

    Raises:
        OSError: it has printed nothing, and never will.
    """
    file = os.open(_path(folder, pid), os.O_RDONLY)
    try:
        return _end_of(file)
    finally:
        os.close(file)


def _end_of(file: int) -> str:
    length = os.fstat(file).st_size
    data = os.pread(file, _TAIL_BYTES, max(0, length - _TAIL_BYTES))
    return data.decode(errors="replace")


def _path(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.log"
