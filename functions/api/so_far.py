"""What a job has done so far, in a few requests however large it is.

Its timeline has an object for each attempt. If they are few, all are counted. If they are many, the
workers have counted them: whoever joins a batch adds what its calls took, and the sums are kept
with the runs of the result (`mu.Assembly`). Retries of encode and anchors, and what was done for
batches that are not joined, are then not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from excamera.job.objects import Keys
from excamera.job.results import PlanSummary
from excamera.job.tally import Tally
from excamera.lifecycle.planned import planned_of
from mu import Assembly, Store, at_once
from mu.timeline import attempts

FEW = 1000
"""Attempts of a timeline that are all counted: S3 lists them in one request."""

_ONCE = ("audio/", "index/", "plan/", "stitch/", "survey-", "probe-")
"""Beginnings of the names of what each job does once, or once for each span."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a job has done.

    Attributes:
        planned: the result of the plan step; None before its end.
        tally: of its calls.
        joined: how many of its batches are joined.
    """

    planned: PlanSummary | None
    tally: Tally
    joined: int


def so_far(store: Store, keys: Keys) -> SoFar:
    """Look at what a job has stored."""
    prefix = keys.timeline
    found = store.list(f"{prefix}/", limit=FEW)
    if len(found) == FEW:

        def some(beginning: str) -> list[str]:
            return store.list(f"{prefix}/{beginning}", limit=FEW)

        found = [key for page in at_once(some, _ONCE) for key in page]
        noted = list(attempts(prefix, found))
        planned = planned_of(store, keys, noted)
        tally = Tally.of(noted)
        joined, totals = _assembly(store, keys, planned).so_far() if planned else (0, {})
        tally.add_batches(joined, totals)
        return SoFar(planned, tally, joined)
    noted = list(attempts(prefix, found))
    planned = planned_of(store, keys, noted)
    joined = sum(key.endswith(".json") for key in store.list(keys.clusters)) if planned else 0
    return SoFar(planned, Tally.of(noted), joined)


def _assembly(store: Store, keys: Keys, planned: PlanSummary) -> Assembly:
    return Assembly(store, planned.assembly, planned.batches, keys.cluster)
