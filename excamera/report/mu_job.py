"""The facts of a job of mu that is no film, from the records that it has stored."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from excamera.errors import NoSuchInput
from excamera.job.results import Outcome
from excamera.report.facts import Run
from mu import DirectoryStore, Store, TaskRecord, is_object_url, open_store
from mu.timelines import RUNNING, JobRecord, Timelines

_MOST_LINES = 1000


def mu_run(place: str) -> Run | None:
    """What a job of mu has stored; None if there is nothing of one.

    Args:
        place: a folder, or `s3://bucket/prefix`: where `timeline=` of an executor or a run has led.

    Raises:
        NoSuchInput: the URL names no part of a bucket.
        StoreError: S3 refuses, or does not answer.
    """
    if not is_object_url(place) and next(Path(place).resolve().glob("*/*ms-*.json"), None) is None:
        return None  # without a look at all that is below it
    store, above, name = _found(place)
    timelines = Timelines(store, above)
    records, _ = timelines.records(name)
    job = timelines.job(name)
    if not records and job is None:
        return None
    records.sort(key=lambda one: one.finished or one.started)
    return Run(
        name=name,
        actual=_actual(records, job),
        facts=_facts(records, job),
        notes=_notes(job, place),
        log=_log(records, job),
        records=records,
        is_film=False,
    )


def _found(place: str) -> tuple[Store, str, str]:
    """The store of a job, its place there, and its name."""
    if not is_object_url(place):
        folder = Path(place).resolve()
        return DirectoryStore(folder.parent), "", folder.name
    bucket, _, key = place.removeprefix("s3://").rstrip("/").partition("/")
    if not bucket or not key:
        raise NoSuchInput(f"{place}: name a job: s3://BUCKET/PREFIX/NAME")
    above, _, name = key.rpartition("/")
    return open_store(f"s3://{bucket}"), above, name


def _actual(records: Sequence[TaskRecord], job: JobRecord | None) -> Outcome | None:
    ends = [one.finished for one in records if one.finished is not None]
    began = min([one.queued or one.started for one in records] + ([job.began] if job else []))
    if job is not None and job.ended is not None:
        ends.append(job.ended)
    if not ends:
        return None
    dollars = sum(one.dollars for one in records)
    return Outcome(round(max(ends) - began, 2), dollars or None, None)


def _facts(records: Sequence[TaskRecord], job: JobRecord | None) -> dict[str, str]:
    failed = sum(one.error is not None for one in records)
    facts = {
        "State": job.state if job else "",
        "Began": _moment(job.began) if job else "",
        "Tasks": f"{len({(one.name, one.number) for one in records}):,}",
        "Attempts": f"{len(records):,}",
        "Attempts that failed": f"{failed:,}" if failed else "",
        "Workers": f"{len({one.worker for one in records}):,}",
        "Work": f"{sum((one.finished or one.started) - one.started for one in records):,.2f} s",
    }
    return {name: value for name, value in facts.items() if value}


def _moment(time: float) -> str:
    return f"{datetime.datetime.fromtimestamp(time, datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _notes(job: JobRecord | None, place: str) -> list[str]:
    notes = []
    if job is not None and job.state == RUNNING:
        notes.append(f"{place}: it has not ended, or its process was killed; this is what it did")
    if job is not None and job.lost:
        notes.append(f"{job.lost:,} records of tasks could not be stored")
    return notes


def _log(records: Sequence[TaskRecord], job: JobRecord | None) -> list[str]:
    """Why it failed, and what its tasks have printed last, in the order of their ends."""
    told = [f"failed: {line}" for line in job.error.splitlines()] if job else []
    lines = [
        line
        for one in records
        if one.error or one.log
        for line in (
            f"--- {one.name} {one.number}"
            + (f", attempt {one.attempts}" if one.attempts > 1 else "")
            + (f": {one.error}" if one.error else ""),
            *one.log.splitlines(),
        )
    ]
    return [*told, *lines[-_MOST_LINES:]]
