"""Jobs of mu that are not films, as the API tells of them: lists, and what their tasks did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from excamera.api.refusals import Malformed, NoSuchJob
from mu import TaskRecord
from mu.timelines import JobRecord, State, Timelines

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
"""Names of a stack's jobs; those of a folder are the user's own."""

MOST_RECORDS = 500
_LONGEST_LOG = 2000  # characters: an answer of Lambda has at most 6 MB


class MuJob(BaseModel):
    """A job of mu."""

    name: str
    state: Annotated[
        State,
        Field(description="A job whose process was killed stays `running`."),
    ]
    began: Annotated[str, Field(description="ISO 8601.")]
    ended: str | None = None
    error: Annotated[str | None, Field(description="Why it failed.")] = None
    lost: Annotated[int, Field(description="Records of tasks that could not be stored.")] = 0


class MuPage(BaseModel):
    """Some jobs of mu, those that began last first; `next` is for the next page."""

    jobs: list[MuJob]
    next: str | None = None


class MuRecord(BaseModel):
    """An attempt of a task, or of calls that travelled together; times are Unix seconds."""

    name: Annotated[str, Field(description="Of the task or the function.")]
    number: int
    attempt: int
    queued: float | None = None
    started: float
    finished: float | None = None
    worker: str
    error: Annotated[str | None, Field(description="The error's name, if it failed.")] = None
    marks: Annotated[dict[str, float], Field(description="When it passed points, by name.")]
    memory_mb: int | None = None
    peak_memory_mib: int | None = None
    dollars: float
    log: Annotated[str, Field(description="The last that it printed.")]


class MuRecords(BaseModel):
    """A job of mu, and some of its attempts; `next` is for the next page."""

    job: MuJob
    records: list[MuRecord]
    next: str | None = None


def mu_page(timelines: Timelines | None, after: str | None, limit: int) -> MuPage:
    """Some jobs.

    Args:
        timelines: where they are; None for nowhere.
        after: `next` of the page before.
        limit: the most.

    Raises:
        Malformed: `after` is not from an earlier page.
    """
    if timelines is None:
        return MuPage(jobs=[])
    try:
        found, following = timelines.page(after or "", limit)
    except ValueError as error:
        raise Malformed("next: not a token of this list") from error
    return MuPage(jobs=[_told(one) for one in found], next=following or None)


def mu_records(timelines: Timelines | None, name: str, after: str | None, limit: int) -> MuRecords:
    """A job and some of its attempts; see `mu_page`.

    Raises:
        NoSuchJob: there is no such job.
        Malformed: `after` is not from an earlier page.
    """
    job = None if timelines is None else timelines.job(name)
    if timelines is None or job is None:
        raise NoSuchJob(f"there is no job of mu {name!r}")
    try:
        found, following = timelines.records(name, after or "", limit)
    except ValueError as error:
        raise Malformed("next: not a token of this job") from error
    records = [told for one in found if (told := _record(one)) is not None]
    return MuRecords(job=_told(job), records=records, next=following or None)


def _told(job: JobRecord) -> MuJob:
    return MuJob(
        name=job.name,
        state=job.state,
        began=_time(job.began),
        ended=None if job.ended is None else _time(job.ended),
        error=job.error or None,
        lost=job.lost,
    )


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _record(record: TaskRecord) -> MuRecord | None:
    try:
        return MuRecord(
            **{name: getattr(record, name) for name in MuRecord.model_fields
               if name not in ("attempt", "log")},
            attempt=record.attempts,
            log=record.log[-_LONGEST_LOG:],
        )  # fmt: skip
    except (ValidationError, TypeError):  # somebody else's file
        return None
