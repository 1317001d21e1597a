"""The facts that a job's objects tell, finished or not."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from excamera.errors import NoSuchJob, PlanMismatch
from excamera.job.batches import Batch
from excamera.job.codecs import DASH, HLS, rung_of
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
) -> list[JobFacts]:
    """What the folder of a job on this machine tells, see `sides_of`.

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
        return [JobFacts(run, None, None)]
    plan = job.plan
    run = planned(replace(run, name=name or Path(plan.source.name).name), job, tasks)
    made = [keys.result(plan.container)]
    if plan.rungs:
        made = [keys.file(at) for at in range(len(plan.rungs) + bool(plan.source.audio_streams))]
    paths = [store.path(key) for key in made]
    results = [str(path) if path.is_file() else None for path in paths]
    return sides_of(run, job, results, Film(job=JOB, store=store.url))


def sides_of(
    run: Run, job: Job | None, results: Sequence[str | None], source: Film | None = None
) -> list[JobFacts]:
    """A job with what its results tell; of a ladder its sizes, the largest first, then the whole.

    Args:
        run: what is known of the job, as `planned` returns it.
        job: its plan and objects; None if they cannot be read.
        results: path or URL of its file; of a ladder of those of its sizes and of its sound. None
            for one that is not there.
        source: see `JobFacts`.

    Raises:
        InputError: a result cannot be read.
    """
    if run.options.get("ladder"):
        return _ladder(run, job, results, source)
    found = next((one for one in results if one is not None), None)
    if found is None:
        return [JobFacts(run, source, None)]
    return [JobFacts(_with_file(run, job, found), source, Film(found))]


def _ladder(
    run: Run, job: Job | None, results: Sequence[str | None], source: Film | None
) -> list[JobFacts]:
    """See `sides_of`."""
    scenes = None
    shown: list[tuple[str, Job | None, str | None]]
    if job is None:  # the files' names tell which sizes they have
        files = [one for one in results if one is not None]
        shown = [(rung, None, one) for one in files if (rung := rung_of(one))]
        heard = [one for one in files if not rung_of(one)]
    else:
        scenes = _scenes(job)
        jobs = job.rungs()
        there = [*results, *[None] * len(jobs)]
        names = [one.name for one in job.plan.rungs]
        shown = list(zip(names, jobs, there[: len(jobs)], strict=True))
        heard = [one for one in results[len(jobs) :] if one is not None]
    sizes = []
    for name, one, result in shown:
        size = Run(name=f"{run.name} {name}", ladder=run.name)
        if one is not None:
            geometry = one.plan.geometry
            size = replace(size, width=geometry.width, height=geometry.height)
            size = _cut(size, one, scenes)
        if result is not None:
            size = _with_file(size, one, result)
        film = None if result is None else Film(result, is_rung=True)
        sizes.append(JobFacts(size, source, film))
    told = dict(next((one.run.facts for one in sizes if one.result), {}))
    if heard:
        told["Sound"] = file_run(heard[0]).facts["Sound"]
    elif job is None or job.plan.source.audio_streams:
        told.pop("Sound", None)
    whole = replace(
        run,
        codec=next((one.run.codec for one in sizes if one.result), ""),
        container="" if job is None else _MANIFESTS[job.plan.container],
        bytes=(run.actual and run.actual.bytes) or 0,
        duration_s=max((one.run.duration_s for one in sizes), default=0.0),
        facts={**run.facts, **told},
    )
    return [
        *(replace(one, run=replace(one.run, facts={})) for one in sizes),
        JobFacts(whole, None, None),
    ]


_MANIFESTS = {DASH: "dash", HLS: "hls"}
"""FFmpeg's names of them."""


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
    modes = Counter(batch.mode for batch in plan.batches)
    run = replace(
        run,
        plan=plan.digest,
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
    # Each size of a ladder has batches of its own.
    return run if plan.rungs else _cut(run, job, _scenes(job))


def _cut(run: Run, job: Job, scenes: Sequence[int] | None) -> Run:
    """The run with the batches of a job, or of one size of a ladder."""
    plan = job.plan
    aimed = None
    if plan.options.target is not None:
        with contextlib.suppress(PlanMismatch):  # they are chosen after the plan is made
            aimed = job.aim().crfs
    begins = accumulate((len(batch.pts) for batch in plan.batches), initial=0)

    def facts(one: tuple[Batch, int]) -> BatchFacts:
        batch, first = one
        crf = None
        if plan.options.target is None:
            crf = plan.crf_of(batch)
        elif aimed is not None:
            crf = plan.crf_of(batch, aimed[batch.number])
        return _batch(job, batch, first, crf)

    found = at_once(facts, list(zip(plan.batches, begins, strict=False)))
    return replace(run, plan=plan.digest, batches=list(found), scenes=scenes)


def _with_file(run: Run, job: Job | None, path: str) -> Run:
    """The run with what its result tells, whose frames have the roles that the plan gives them."""
    found = file_run(path, roles=[] if job is None else list(_roles(job.plan)))
    return replace(
        found,
        facts={**run.facts, **found.facts},
        **{
            name: getattr(run, name)
            for name in (
                "name", "ladder", "plan", "batches", "scenes", "options", "predicted", "actual",
                "notes", "log", "records",
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
