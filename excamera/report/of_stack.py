"""The facts of a stack's job, as its API describes it and its objects tell them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from excamera.job.objects import Job
from excamera.job.results import Outcome
from excamera.job.steps import NUMBERS
from excamera.report.effort import ordinal
from excamera.report.facts import Run
from excamera.report.files import file_run
from excamera.report.films import Film, Span
from excamera.report.job import JobFacts, planned, with_file
from mu import TaskRecord

Described = Mapping[str, Any]
"""A job as the API describes it."""


def stack_facts(
    described: Described,
    records: Sequence[TaskRecord],
    job: Job | None,
    result: str | None,
    *,
    log: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
    note: str = "",
) -> JobFacts:
    """What is known of a job, with its result but without its source.

    Args:
        described: the job.
        records: of its tasks.
        job: its plan and objects; None if they cannot be read.
        result: path or URL of the file that it made; None without one.
        log: what its tasks printed.
        facts: more to tell, by name.
        note: what a user should know of the report.

    Raises:
        InputError: the result cannot be read.
    """
    name, failure = str(described["id"]), described["failure"]
    records = with_dollars(records, described)
    why = [f"{failure['error']}: {failure['message']}"] if failure else []
    run = Run(name=name, records=records, options=described["options"], log=[*why, *log])
    if job is not None:
        run = planned(run, job, records)
    if result is not None and job is not None:
        run = with_file(run, job.plan, result)
    elif result is not None:
        found = file_run(result)
        run = replace(found, name=name, records=records, options=run.options, log=run.log)
    notes = (described["result"] or {}).get("notes", ())
    return JobFacts(
        replace(
            run,
            name=name,
            predicted=_outcome(described.get("predicted")),
            actual=_outcome(described.get("actual")),
            notes=[*notes, *([note] if note else [])],
            facts={
                **run.facts,
                "Source": described["source"],
                "State": described["state"],
                "Workers": str(len({one.worker for one in records})),
                **(facts or {}),
            },
        ),
        None,
        None if result is None else Film(result),
    )


def with_source(facts: JobFacts, job: Job, every: int) -> JobFacts:
    """The facts of a job that is measured against its source.

    Args:
        facts: of the job, with its result.
        job: its plan, in a store that another process can open.
        every: the job is measured in every so-many-th batch; 0 for in none.
    """
    run, result = facts.run, facts.result
    if result is None:
        return facts
    if run.frames.count != job.plan.frame_count or None in run.frames.time_s:
        return _noted(facts, "no quality: the result has other frames than the plan")
    if not every:
        return _noted(facts, "no quality: one function has no time for so many pictures")
    source = Film(job=job.keys.job, store=job.store.url)
    if every == 1:
        return replace(facts, source=source)
    spans = tuple(
        Span(first, sum(batch.chunk_frames), run.frames.time_s[first] or 0.0)
        for batch in run.batches[::every]
        for first in (batch.first_frame,)
    )
    count = sum(span.count for span in spans)
    sampled = replace(
        facts, source=replace(source, spans=spans), result=replace(result, spans=spans)
    )
    return _noted(
        sampled,
        f"quality of every {ordinal(every)} batch, {count:,} of {run.frames.count:,} frames: one "
        "function has no time for more",
    )


def _noted(facts: JobFacts, note: str) -> JobFacts:
    return replace(facts, run=replace(facts.run, notes=[*facts.run.notes, note]))


def with_dollars(records: Sequence[TaskRecord], described: Described) -> list[TaskRecord]:
    """The records with their shares of what a job has cost: an attempt's is its GB-seconds."""
    cost = described["cost"]
    if cost is None:
        return list(records)
    memory_gb = _memory_gb(described)
    used = [memory_gb.get(one.name, 0.0) * _took_s(one) for one in records]
    dollars = cost["so_far_usd"] / (sum(used) or 1.0)
    return [replace(one, dollars=share * dollars) for one, share in zip(records, used, strict=True)]


def log_lines(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Log lines as text.

    Args:
        lines: as the API tells them.
    """
    for line in lines:
        moment = datetime.fromtimestamp(line["time"], UTC).isoformat(timespec="milliseconds")
        numbers = [str(line[name]) for name in NUMBERS if line.get(name) is not None]
        where = "/".join([line["step"] or "", *numbers])
        yield "  ".join([moment, line["level"], where, line["message"]])
        yield from (line["exception"] or "").splitlines()


def _memory_gb(described: Described) -> dict[str, float]:
    """Memory of the workers of each step, in GB."""
    used = described["cost"]["gb_seconds"]
    return {
        step: used[step] / seconds
        for step, seconds in described["seconds"].items()
        if seconds and step in used
    }


def _took_s(record: TaskRecord) -> float:
    return 0.0 if record.finished is None else record.finished - record.started


def _outcome(told: Mapping[str, Any] | None) -> Outcome | None:
    if not told:
        return None
    return Outcome(told.get("seconds"), told.get("usd"), told.get("bytes"))
