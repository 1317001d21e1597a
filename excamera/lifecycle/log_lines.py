"""The log lines that the stack's functions write: JSON, one in an event of their log groups."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_TIMESTAMP = "%Y-%m-%d %H:%M:%S,%f%z"  # of Powertools' logger


def line_of(event: Mapping[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """A line of a function, with the Unix milliseconds of its writing; None for Lambda's own.

    A line's own time is that of its writing; many lines may share the time of their event.

    Args:
        event: as CloudWatch Logs lists it.
    """
    try:
        line = json.loads(event["message"])
    except ValueError:
        return None  # Lambda's own START, END and REPORT
    if not isinstance(line, dict):
        return None
    return _written(line) or event["timestamp"], line


def _written(line: Mapping[str, Any]) -> int | None:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        written = datetime.strptime(line["timestamp"], _TIMESTAMP)
        return round(written.timestamp() * 1000)
    return None
