"""Which display of progress a user gets."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from excamera.cli.progress import JsonProgress, LineProgress, Progress

WAYS = ("auto", "plain", "json", "none")
"""What `--progress` takes."""

_NARROW = 50
"""Columns of a terminal below which only one line is shown."""


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
