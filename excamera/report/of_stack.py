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
from excamera.report.films import Film, Span
from excamera.report.job import JobFacts, planned, sides_of
from mu import TaskRecord

Described = Mapping[str, Any]
"""A job as the API describes it."""


def stack_facts(
    described: Described,
    records: Sequence[TaskRecord],
    job: Job | None,
    results: Sequence[str | None],
    *,
    log: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
    note: str = "",
) -> list[JobFacts]:
    """What is known of a job, with its results but without its source, see `sides_of`.

    Args:
        described: the job.
        records: of its tasks.
        job: its plan and objects; None if they cannot be read.
        results: see `sides_of`.
        log: what its tasks printed.
        facts: more to tell, by name.
        note: what a user should know of the report.

    Raises:
        InputError: a result cannot be read.
    """
    name, failure = str(described["id"]), described["failure"]
    records = with_dollars(records, described)
    why = [f"{failure['error']}: {failure['message']}"] if failure else []
    run = Run(name=name, records=records, options=described["options"], log=[*why, *log])
    if job is not None:
        run = planned(run, job, records)
    notes = (described["result"] or {}).get("notes", ())
    run = replace(
        run,
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
    )
    return sides_of(run, job, results)


def with_source(sides: Sequence[JobFacts], job: Job, every: int) -> list[JobFacts]:
    """The sides of a job that is measured against its source.

    Args:
        sides: of the job, with its results.
        job: its plan, in a store that another process can open.
        every: the job is measured in every so-many-th batch; 0 for in none.
    """
    films = [one.run for one in sides if one.result is not None]
    if not films:
        return list(sides)
    count = job.plan.frame_count
    if any(run.frames.count != count or None in run.frames.time_s for run in films):
        return _noted(sides, "no quality: the result has other frames than the plan")
    if not every:
        return _noted(sides, "no quality: one function has no time for so many pictures")
    source = Film(job=job.keys.job, store=job.store.url)
    if every == 1:
        return [_measurable(one, source, ()) for one in sides]
    spans = [_spans(run, every) for run in films]
    # All sizes of a ladder have the same batches.
    source = replace(source, spans=spans[0])
    of_films = iter(spans)
    sampled = [
        one if one.result is None else _measurable(one, source, next(of_films)) for one in sides
    ]
    measured = sum(span.count for span in spans[0])
    return _noted(
        sampled,
        f"quality of every {ordinal(every)} batch, {measured:,} of {count:,} frames: one "
        "function has no time for more",
    )


def _measurable(side: JobFacts, source: Film, spans: tuple[Span, ...]) -> JobFacts:
    """The side with its source, and the part of both that is measured; one without a film as is."""
    if side.result is None:
        return side
    return replace(side, source=source, result=replace(side.result, spans=spans))


def _spans(run: Run, every: int) -> tuple[Span, ...]:
    return tuple(
        Span(first, sum(batch.chunk_frames), run.frames.time_s[first] or 0.0)
        for batch in run.batches[::every]
        for first in (batch.first_frame,)
    )


def _noted(sides: Sequence[JobFacts], note: str) -> list[JobFacts]:
    """The sides with a note on the last, which is the whole of a ladder."""
    *others, last = sides
    return [*others, replace(last, run=replace(last.run, notes=[*last.run.notes, note]))]


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
