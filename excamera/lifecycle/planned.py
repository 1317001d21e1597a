"""What a job's plan step has returned, from the job's timeline."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from excamera.job.objects import Keys
from excamera.job.results import PlanSummary
from mu import Attempt, NoSuchKey, Store, TaskRecord


def planned_of(store: Store, keys: Keys, attempts: Iterable[Attempt]) -> PlanSummary | None:
    """The result of the plan step, or None before its end.

    Args:
        store: the jobs'.
        keys: of the job's objects.
        attempts: of its timeline, with that of the plan step if there is one.
    """
    for attempt in attempts:
        if attempt.name == "plan" and attempt.done:
            with contextlib.suppress(NoSuchKey):
                record = TaskRecord.from_json(store.get(attempt.key(keys.timeline)))
                return PlanSummary.from_json(record.result)
    return None
