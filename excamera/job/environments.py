"""Which environments of functions a job has made before it needs them, and how many.

A function's first call in a new environment waits until that has begun. So a job asks for
environments while it does something else. They count as workers of the job: they never take the
places of those that work.
"""

from __future__ import annotations

from collections.abc import Mapping

AT_START: Mapping[str, int] = {"plan": 1, "audio": 1, "stitch": 1, "spread": 1}
"""What every job needs, whatever its film: it is asked for as the job starts, if its turn has
room for them beside the index and for who asks. A small file's has not, and no need."""

FOR_BATCHES = ("anchors", "encode")
"""The steps of batches, in the order in which a batch calls them."""

MOST = 1_000
"""Lambda makes no more environments of a function at once."""

WORTH_PIXELS = 200_000_000
"""Frames times pixels that a function surveys in two seconds. A film without spans whose index has
fewer to survey gets to its batches before new environments could have begun."""

_OTHERS = 2
"""Functions that run beside the surveys: that of the sound, and the one that calls them."""


def at_start(workers: int) -> Mapping[str, int]:
    """The environments to be asked for as a job starts.

    Args:
        workers: functions that the job may run at the same time.
    """
    return AT_START if 1 + calls_for(AT_START) <= workers else {}


def for_batches(
    *, shares: int, ahead: int, spans: int, pixels: int, workers: int
) -> dict[str, int]:
    """The environments for a job's batches, to be asked for as soon as its film is known.

    Args:
        shares: how many shares its batches are expected to have.
        ahead: how many of the batches are expected to have a call for their anchors.
        spans: how many spans are surveyed meanwhile.
        pixels: of the whole film, frames times those of one.
        workers: functions that the job may run at the same time.

    Returns:
        How many, by step; {} if they would come too late.
    """
    if not spans and pixels < WORTH_PIXELS:
        return {}
    found = {}
    free = workers - min(spans, workers) - _OTHERS
    for step, wanted in zip(FOR_BATCHES, (ahead, shares), strict=True):
        count = min(wanted, free, MOST)
        if count > 0:
            found[step] = count
            free -= count
    return found


def calls_for(environments: Mapping[str, int]) -> int:
    """Calls by which environments are asked for: one for each, and that of who asks."""
    return sum(environments.values()) + 1 if environments else 0
