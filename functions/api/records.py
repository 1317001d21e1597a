"""Jobs as the catalogue remembers them, whose executions and objects may be gone."""

from __future__ import annotations

from excamera.api.answers import Cost, Failure, Job, JobSummary, Outcome
from excamera.job.results import JobResult
from excamera.lifecycle.admission import USUAL_PRIORITY
from excamera.lifecycle.catalogue import Record
from functions.api.progress import finished
from functions.api.settings import ApiSettings
from functions.api.uploads import Results


def remembered(record: Record, results: Results, settings: ApiSettings) -> Job:
    """A job of which there is nothing but its record."""
    output = record["output"]
    cost, made = record.get("cost_usd"), record.get("result")
    return Job(
        **summary_of_record(record).model_dump(),
        phase="ended",
        output=f"{output['store']}/{output['key']}",
        options=record["options"],
        priority=record.get("priority", USUAL_PRIORITY),
        tag=record.get("tag"),
        goal=record.get("goal"),
        frames=made and made["frames"],
        cost=None if cost is None else Cost(so_far_usd=cost, estimated_usd=None, gb_seconds={}),
        predicted=_outcome(record, "predicted"),
        actual=_outcome(record, "actual"),
        failure=_failure(record),
        result=made and finished(JobResult.from_json(made), record["job"], results, settings),
    )


def summary_of_record(record: Record) -> JobSummary:
    """A job in a list."""
    return JobSummary(
        id=record["job"],
        state=record["status"],
        created=record["started"],
        ended=record["ended"],
        source=record["source"],
        size=record.get("size"),
    )


def _outcome(record: Record, which: str) -> Outcome | None:
    return Outcome(**record[which]) if which in record else None


def _failure(record: Record) -> Failure | None:
    if "error" not in record:
        return None
    return Failure(error=record["error"], message=record.get("message", ""))
