"""What was predicted of a job beside what it took, for people to read."""

from __future__ import annotations

from typing import Any

_SHOWN = {"seconds": "{:,.1f} s", "usd": "${:.4f}", "bytes": "{:,} bytes"}


def outcomes(job: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The names and values of two lines: what was predicted of a job, and what it took.

    What it took has by how many percent it was more or less than predicted. None stands for a line
    that there is not.

    Args:
        job: as the API describes it.
    """
    predicted, actual = job.get("predicted") or {}, job.get("actual") or {}
    return [("predicted", _line(predicted)), ("actual", _line(actual, predicted))]


def _line(outcome: dict[str, Any], beside: dict[str, Any] | None = None) -> str | None:
    shown = [
        words.format(outcome[name]) + _difference(outcome[name], (beside or {}).get(name))
        for name, words in _SHOWN.items()
        if outcome.get(name) is not None
    ]
    return ", ".join(shown) or None


def _difference(actual: float, predicted: float | None) -> str:
    return f" ({100 * (actual / predicted - 1):+.0f}%)" if predicted else ""
