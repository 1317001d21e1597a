"""What the workers of a job did: a page of its timeline, from any store."""

from __future__ import annotations

from excamera.api.answers import TaskAttempt, TimelinePage
from excamera.api.refusals import Malformed
from excamera.job.objects import Keys
from excamera.job.steps import NUMBERS
from mu import Attempt, NoSuchKey, Store, TaskRecord, at_once
from mu.timeline import attempts


def timeline(store: Store, job: str, after: str | None, limit: int) -> TimelinePage:
    """Some of a job's attempts, in the order of their keys.

    Raises:
        Malformed: `after` is not from an earlier page.
    """
    prefix = Keys(job).timeline
    if after is not None and not list(attempts("", [after.removeprefix("/")])):
        raise Malformed("next: not a token of this timeline")
    keys = store.list(
        f"{prefix}/", after="" if after is None else f"{prefix}/{after}", limit=limit + 1
    )
    some = keys[:limit]

    def read(key: str) -> TaskRecord | None:
        try:
            return TaskRecord.from_json(store.get(key))
        except NoSuchKey:  # the job was cancelled meanwhile
            return None

    found = [
        _attempt(attempt, record)
        for attempt, record in zip(attempts(prefix, some), at_once(read, some), strict=True)
        if record is not None
    ]
    following = some[-1].removeprefix(f"{prefix}/") if len(keys) > limit else None
    return TimelinePage(attempts=found, next=following)


def _attempt(attempt: Attempt, record: TaskRecord) -> TaskAttempt:
    return TaskAttempt(
        task=attempt.task,
        step=attempt.name,
        attempt=attempt.number,
        outcome=attempt.outcome,
        started=record.started,
        finished=record.finished,
        queued=record.queued,
        worker=record.worker,
        peak_memory_mib=record.peak_memory_mib,
        **{name: record.event[name] for name in NUMBERS if name in record.event},
        fetched=record.marks.get("fetched"),
        computed=record.marks.get("computed"),
        stored=record.marks.get("stored"),
    )
