"""The timeline of a job as one HTML page, from one machine or from a stack."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from excamera.errors import (
    NoOutputFolder,
    OutputIsDirectory,
    OutputNotWritable,
    UnknownOutputFormat,
)
from excamera.job.steps import NUMBERS
from mu import TaskRecord
from mu.timeline_page import write_page

_ENDING = ".html"


def check_page(path: Path, what: str = "timeline") -> None:
    """Refuse a page that cannot be written, before any work is done.

    The ending protects films: a page of before is replaced.

    Args:
        path: of the page.
        what: it is, in words.

    Raises:
        OutputError: the class says why.
    """
    if path.is_dir():
        raise OutputIsDirectory(f"{path}: is a directory")
    if path.suffix.lower() != _ENDING:
        raise UnknownOutputFormat(f"{path}: the {what} must end in {_ENDING}")
    if not path.parent.is_dir():
        raise NoOutputFolder(f"{path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputNotWritable(f"{path}: the folder {path.parent} is not writable")


def write_timeline(
    path: Path, records: Sequence[TaskRecord], *, title: str, lines: Sequence[str] = ()
) -> None:
    """Write the page; it appears whole, or not at all.

    Args:
        path: of the page.
        records: of the job's tasks that have ended.
        title: of the page.
        lines: about the job, below the title.

    Raises:
        OutputNotWritable: it cannot be written.
    """
    try:
        write_page(path, records, title=title, lines=lines, which=which)
    except OSError as error:
        raise OutputNotWritable(f"{path}: {error.strerror}") from error


def which(record: TaskRecord) -> str:
    """The span, or the batch and the chunk, as `excamera logs` shows them."""
    return "/".join(str(record.event[name]) for name in NUMBERS if name in record.event)
