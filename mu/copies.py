"""Which calls are slow enough for a second copy, for workers and for simulated time alike."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

SHARE = 0.05
"""Calls of a task are copied when at most this share of them is left; so copies are as few."""

SLOW = 2.0
"""A call is slow if it has lasted so many medians of those that have ended. Calls that have half as
much again to do, such as those that join what others have made, are not."""


def few(share: float, count: int) -> int:
    """How many of so many calls are few: of less than 20, one in twenty is none."""
    return int(share * count)


def slow_s(seconds: Sequence[float]) -> float:
    """After how many seconds a call is slow.

    Args:
        seconds: that equal calls have taken, in any order; at least one.
    """
    return SLOW * median(seconds)
