"""The facts that a job's objects tell, finished or not."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from excamera.errors import NoSuchJob, PlanMismatch
from excamera.job.batches import Batch
from excamera.job.draft import Draft
from excamera.job.objects import Job, Keys
from excamera.job.plan import Plan
from excamera.job.records import BatchRecord
from excamera.job.results import JobResult, Outcome, PlanSummary
from excamera.media.scenes import Survey
from excamera.price.film import Film as PricedFilm
from excamera.price.machine import machine_seconds
from excamera.price.pace import Pace
from excamera.price.size import result_bytes
from excamera.price.stages import batches_of
from excamera.report.facts import ANCHOR, FIRST, KEY, ORDINARY, BatchFacts, Run
from excamera.report.files import file_run
from excamera.report.films import Film
from excamera.steps.plan import surveys_of
from excamera.work import JOB
from mu import DirectoryStore, NoSuchKey, Store, TaskRecord, at_once
from mu.machine import available_cpus
from mu.timeline import attempts


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job's run, and where its pictures are.

    Attributes:
        run: its facts.
        source: its source as the plan reads it; None if there is no plan yet.
        result: None if there is none yet.
    """

    run: Run
    source: Film | None
    result: Film | None


def job_facts(
    folder: Path, records: Sequence[TaskRecord] = (), *, name: str = "", log: Sequence[str] = ()
) -> JobFacts:
    """What the folder of a job on this machine tells.

    Args:
        folder: of the job, as `--keep-job` and `--work-dir` leave it.
        records: of its tasks, if they are known better than from the folder.
        name: in the report; by default that of its source.
        log: see `Run`.

    Raises:
        NoSuchJob: it is no such folder.
    """
    store, keys = DirectoryStore(folder), Keys(JOB)
    if not holds_job(folder):
        raise NoSuchJob(
            f"{folder}: holds no job of this machine: name a folder that `excamera encode "
            "--keep-job` has filled, or that of a job of mu, as timeline= names it"
        )
    tasks = list(records) or stored_records(store, keys)
    run = Run(name=name or str(folder), records=tasks, log=log or _failures(tasks))
    try:
        job = Job.load(store, JOB)
    except NoSuchKey:
        return JobFacts(run, None, None)
    run = planned(replace(run, name=name or Path(job.plan.source.name).name), job, tasks)
    source = Film(job=JOB, store=store.url)
    result = store.path(keys.result(job.plan.container))
    if not result.is_file():
        return JobFacts(run, source, None)
    return JobFacts(with_file(run, job.plan, str(result)), source, Film(str(result)))


def holds_job(folder: Path) -> bool:
    """Whether a folder has what `excamera encode --keep-job` leaves."""
    return (folder / Keys(JOB).prefix).is_dir()


def stored_records(store: Store, keys: Keys) -> list[TaskRecord]:
    """The records of a job's timeline, with the names that their keys have."""

    def read(key: str) -> TaskRecord | None:
        with contextlib.suppress(NoSuchKey, ValueError, TypeError):
            [attempt] = attempts(keys.timeline, [key])
            return replace(TaskRecord.from_json(store.get(key)), name=attempt.name)
        return None

    found = at_once(read, store.list(f"{keys.timeline}/"))
    return [record for record in found if record is not None]


def planned(run: Run, job: Job, records: Sequence[TaskRecord]) -> Run:
    """The run with what a job's plan and the records of its batches tell."""
    plan = job.plan
    aimed = None
    if plan.options.target is not None:
        with contextlib.suppress(PlanMismatch):  # they are chosen after the plan is made
            aimed = job.aim().crfs
    first = 0
    batches = []
    for batch in plan.batches:
        crf = None
        if plan.options.target is None:
            crf = plan.crf_of(batch)
        elif aimed is not None:
            crf = plan.crf_of(batch, aimed[batch.number])
        batches.append(_batch(job, batch, first, crf))
        first += len(batch.pts)
    modes = Counter(batch.mode for batch in plan.batches)
    return replace(
        run,
        plan=plan.digest,
        batches=batches,
        scenes=_scenes(job),
        options=plan.options.to_json(),
        predicted=_predicted(plan, records),
        actual=_actual(records),
        notes=_notes(plan, records),
        facts={
            "Source": Path(plan.source.name).name,
            "Mode": ", ".join(f"{mode} ({count})" for mode, count in modes.items()),
            "Workers": str(len({one.worker for one in records})) if records else "",
        },
    )


def with_file(run: Run, plan: Plan, path: str) -> Run:
    """The run with what its result tells, whose frames have the roles that the plan gives them."""
    found = file_run(path, roles=list(_roles(plan)))
    return replace(
        found,
        facts={**run.facts, **found.facts},
        **{
            name: getattr(run, name)
            for name in (
                "name", "plan", "batches", "scenes", "options", "predicted", "actual", "notes",
                "log", "records",
            )
        },
    )  # fmt: skip


def _batch(job: Job, batch: Batch, first: int, crf: float | None) -> BatchFacts:
    facts = BatchFacts(
        mode=batch.mode,
        first_frame=first,
        chunk_frames=[len(chunk.pts) for chunk in batch.chunks],
        crf=crf,
    )
    try:
        key = Keys.record(job.keys.cluster(batch.number))
        record = BatchRecord.from_json(job.store.get(key))
    except (NoSuchKey, TypeError, ValueError):
        return facts
    if record.plan != job.plan.digest:
        return facts
    return replace(
        facts,
        bytes=record.bytes,
        packets=record.packets,
        key_frames=record.key_frames,
        states=record.states,
        timings={name: round(took, 4) for name, took in record.timings.items()},
    )


def _roles(plan: Plan) -> Iterator[str]:
    """What each frame is to its batch."""
    for batch in plan.batches:
        for chunk in batch.chunks:
            ordinary = batch.ordinary(chunk) if batch.is_anchored else chunk
            for number in range(len(chunk.pts)):
                place = chunk.first_frame + number - ordinary.first_frame
                if number == 0 and chunk.number == 0:
                    yield KEY
                elif number == 0 and batch.mode == "rebase":
                    yield FIRST
                elif batch.is_anchored and not 0 <= place < len(ordinary.pts):
                    yield ANCHOR
                else:
                    yield ORDINARY


def _scenes(job: Job) -> list[int] | None:
    """Where scenes begin, if the film was surveyed and its frames are those of the result."""
    if job.plan.repeats:
        return None
    try:
        draft = Draft.load(job.store, job.keys)
        survey = Survey(surveys_of(draft, job.store, job.keys))
    except (NoSuchKey, KeyError, TypeError, ValueError):
        return None
    return survey.cuts() if survey.count == job.plan.frame_count else None


def _predicted(plan: Plan, records: Sequence[TaskRecord]) -> Outcome | None:
    """What the model of another machine expects of one with so many workers."""
    planning = next((one.result for one in records if one.name == "plan" and one.result), None)
    if not isinstance(planning, dict):
        return None
    summary = PlanSummary.from_json(planning)
    film = PricedFilm.of(plan, plan.frame_count)
    cpus = min(len({one.worker for one in records}) or 1, available_cpus())
    taken = machine_seconds(film, plan.options, batches_of(plan), summary.spans, cpus)
    return Outcome(round(taken, 2), None, result_bytes(film, plan.options, Pace()))


def _actual(records: Sequence[TaskRecord]) -> Outcome | None:
    ended = [one.finished for one in records if one.finished is not None]
    if not ended:
        return None
    result = _result(records)
    seconds = max(ended) - min(one.queued or one.started for one in records)
    return Outcome(round(seconds, 2), None, result.size if result else None)


def _notes(plan: Plan, records: Sequence[TaskRecord]) -> list[str]:
    result = _result(records)
    return list(result.notes if result else plan.notes)


def _result(records: Sequence[TaskRecord]) -> JobResult | None:
    found = next((one.result for one in records if one.name == "stitch" and one.result), None)
    return JobResult.from_json(found) if isinstance(found, dict) else None


def _failures(records: Sequence[TaskRecord]) -> list[str]:
    """What failed tasks have printed."""
    return [
        line
        for one in records
        if one.error
        for line in (f"{one.name} {one.number}: {one.error}", *one.log.splitlines())
    ]
