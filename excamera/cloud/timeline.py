"""The records of a job in the cloud, through the stack's API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from excamera.cloud.api import Api
from excamera.job.steps import NUMBERS
from excamera.report.of_stack import with_dollars
from mu import TaskRecord
from mu.timeline import DONE

_AT_ONCE = 1000
_MARKS = ("fetched", "computed", "stored")


def records(api: Api, job: dict[str, Any]) -> list[TaskRecord]:
    """The records of all attempts that ended, with their shares of what the job has cost.

    Args:
        api: the stack's API.
        job: the job as the API describes it.
    """
    return with_dollars([_record(attempt) for attempt in _attempts(api, job["id"])], job)


def _attempts(api: Api, job: str) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        page = api.get(f"/jobs/{job}/timeline", limit=_AT_ONCE, next=after)
        yield from page["attempts"]
        after = page["next"]
        if after is None:
            return


def _record(attempt: dict[str, Any]) -> TaskRecord:
    outcome = attempt["outcome"]
    return TaskRecord(
        name=attempt["step"],
        number=0,
        event={name: attempt[name] for name in NUMBERS if attempt.get(name) is not None},
        started=attempt["started"],
        finished=attempt["finished"],
        attempts=attempt["attempt"],
        worker=attempt["worker"],
        error=None if outcome == DONE else outcome,
        queued=attempt["queued"],
        peak_memory_mib=attempt["peak_memory_mib"],
        marks={name: attempt[name] for name in _MARKS if attempt[name] is not None},
    )
