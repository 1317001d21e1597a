"""A whole encode on this machine: checks, job directory, engine, the finished file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from excamera import errors
from excamera.errors import ExCameraError, InputNotReadable, OptionError
from excamera.job.codecs import HLS, SOUND, check_ladder, check_pair, container_of_rungs, ending_of
from excamera.job.draft import Draft
from excamera.job.flow import FUNCTIONS, excamera_flow, planning_flow
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.job.results import JobResult, PlanSummary
from excamera.job.target import Reached
from excamera.lifecycle.failure import second_try
from excamera.media.scenes import Survey
from excamera.media.source.numbered import find_pictures, is_sequence
from excamera.places import (
    check_input,
    check_output,
    check_place,
    check_report,
    check_timeline,
    full,
    write_page,
    written,
)
from excamera.report.job import job_facts
from excamera.report.making import report_of
from excamera.report.page import write_report
from excamera.steps.plan import surveys_of
from excamera.steps.room import bytes_in
from excamera.work import JOB, TMPDIR_ADVICE, Work, kept, mark_of, resumable, temporary
from mu import DirectoryStore, Event, Executor, Node, Observer, StoreFull, TaskFailed, TaskRecord
from mu.machine import available_cpus
from mu.whole import NO_ROOM, destination, is_special, whole_file

_BLOCK = 1 << 20
_NUMBER = re.compile(r"\[Errno (\d+)\]")


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """A finished encode.

    Attributes:
        path: the output.
        size: bytes.
        frames: shown frames.
        key_frames: one per batch.
        duration_s: from time 0 to the end of the picture or the sound, whichever is later.
        sound: see `excamera.job.results.JobResult`.
        indexed_by: "packets", or "decoding" if the packets could not be trusted.
        notes: what a user should know of the source, a line each.
        reached: what has become of the target, if the options have one.
        files: of a ladder, all files, the manifest last; else nothing. Then `size` is that of all.
    """

    path: Path
    size: int
    frames: int
    key_frames: int
    duration_s: float
    sound: str
    indexed_by: str
    notes: tuple[str, ...] = ()
    reached: Reached | None = None
    files: tuple[Path, ...] = ()


def encode_file(
    source: str,
    output: Path,
    options: EncodeOptions,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    keep_job: Path | None = None,
    work_dir: Path | None = None,
    timeline: Path | None = None,
    report: Path | None = None,
    observer: Observer | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> EncodeResult:
    """Encode a video into one file; the output appears only when it is complete.

    Args:
        source: path of the source; or of a folder of numbered pictures, or a name that stands for
            them, such as "frame_%04d.png"; or "-" for standard input.
        output: a path whose ending says which container it is, such as .webm.
        options: the options that decide the bytes.
        workers: number of processes; None for one per CPU.
        overwrite: whether an existing output may be replaced.
        keep_job: directory that keeps the job's objects, so that another run with the same
            source and options can resume; None for one that goes.
        work_dir: parent of a folder that goes only if the encode succeeds, so that the same encode
            can resume; None for a temporary one. A source that can only be read once has that.
        timeline: page with the timeline of the tasks that ended, also if the encode fails; it
            ends in .html, and replaces one of before.
        report: page with all that is known of the encode, likewise (see `excamera.report`).
        observer: hears of the progress.
        say: gets lines for the user about what is left, and what is taken up again.

    Raises:
        ExCameraError: the class says why.
        mu.TaskFailed: a task failed for another reason, or its worker died.
    """
    check_input(source, takes_sequences=True)
    container = check_output(output, overwrite, source)
    check_pair(container, options.codec)
    check_ladder(container, options.ladder)
    for beside in _beside(output, container, options):
        check_place(beside, overwrite=overwrite, source=source)
    if timeline is not None:
        check_timeline(timeline, source)
    if report is not None:
        check_report(report, source)
    if keep_job is not None and work_dir is not None:
        raise OptionError("keep_job names the folder itself, work_dir its parent: give one")
    processes = workers or available_cpus()
    if keep_job is not None:
        place = kept(keep_job)
    elif work_dir is not None and not _is_read_once(source):
        place = resumable(work_dir, source, output, options, container=container)
    else:
        place = temporary()
    with place as work, _room(work), _left(work, say):
        store = DirectoryStore(work.path)
        keys = Keys(JOB)
        if work.resumes:
            say(f"going on from what an earlier run has left in {work.path}")
        event = _event(source, store, keys, options, container, processes)
        event["stem"] = output.stem if options.ladder else ""
        event["room"] = _places(source, output, work, store.path(keys.spool))
        with (
            Executor(workers=processes, store=store) as executor,
            _timeline(timeline, Path(event["input"]["name"]).name) as records,
            _report(report, work, output, records, processes),
        ):
            done = _run(executor, excamera_flow(), event, observer, keys, records)
            result = JobResult.from_json(done)
            files = {output.with_name(one["name"]): one["key"] for one in result.files}
            _write({**files, output: result.key}, store, work, overwrite=overwrite)
        return EncodeResult(
            path=output,
            size=result.size,
            frames=result.frames,
            key_frames=result.key_frames,
            duration_s=result.duration_s,
            sound=result.sound,
            indexed_by=Job.load(store, JOB).plan.source.indexed_by,
            notes=tuple(result.notes),
            reached=Reached.from_json(result.target),
            files=tuple(files),
        )


def _write(files: dict[Path, str], store: DirectoryStore, work: Work, *, overwrite: bool) -> None:
    """Copy finished files; they get their names when all are whole, the last one at the end."""
    with contextlib.ExitStack() as names:
        # Contexts end in the opposite order.
        parts = {
            path: names.enter_context(written(path, overwrite=overwrite))
            for path in reversed(files)
        }
        work.note_parts(parts.values())
        for path, part in parts.items():
            with store.path(files[path]).open("rb") as finished, part.open("wb") as out:
                shutil.copyfileobj(finished, out, _BLOCK)


def _beside(output: Path, container: str, options: EncodeOptions) -> Iterator[Path]:
    """The files of a ladder, but for those of sizes that the pictures do not have."""
    parts = ending_of(container_of_rungs(container, options.codec))
    for name in [*(f"{lines}p" for lines in options.rungs), *([SOUND] if options.rungs else [])]:
        for ending in {parts, *([HLS] if container == HLS else [])}:
            yield output.with_name(f"{output.stem}-{name}.{ending}")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An encode that was planned only.

    Attributes:
        plan: how it would be cut, and with what options.
        summary: of the plan.
        scenes: how many were found; None if they were not looked for.
    """

    plan: Plan
    summary: PlanSummary
    scenes: int | None


def plan_file(
    source: str,
    options: EncodeOptions,
    container: str,
    *,
    workers: int | None = None,
    observer: Observer | None = None,
) -> Foreseen:
    """Plan an encode as `encode_file` does, and leave nothing.

    Args:
        source: see `encode_file`.
        options: see `encode_file`.
        container: the name of the result's.
        workers: see `encode_file`.
        observer: see `encode_file`.

    Raises:
        ExCameraError: the class says why.
        mu.TaskFailed: a task failed for another reason, or its worker died.
    """
    check_input(source, takes_sequences=True)
    check_pair(container, options.codec)
    check_ladder(container, options.ladder)
    processes = workers or available_cpus()
    with temporary() as work, _room(work):
        store, keys = DirectoryStore(work.path), Keys(JOB)
        event = _event(source, store, keys, options, container, processes)
        with Executor(workers=processes, store=store) as executor:
            done = _run(executor, planning_flow(), event, observer, keys, [])
        draft = Draft.load(store, keys)
        survey = Survey(surveys_of(draft, store, keys))
        return Foreseen(
            plan=Job.load(store, JOB).plan,
            summary=PlanSummary.from_json(done),
            scenes=len(survey.cuts()) + 1 if survey.count == len(draft.frames) else None,
        )


def _event(
    source: str,
    store: DirectoryStore,
    keys: Keys,
    options: EncodeOptions,
    container: str,
    processes: int,
) -> Event:
    """What the step `index` is given; see there."""
    return {
        "job": JOB,
        "input": _readable(source, store, keys),
        "container": container,
        "options": options.to_json(),
        "index": "auto",
        "limits": {"processes": processes},
    }


def _run(
    executor: Executor,
    flow: Node,
    event: Event,
    observer: Observer | None,
    keys: Keys,
    records: list[TaskRecord],
) -> Event:
    """Run the job; `records` gets those of all tasks that ended, whatever becomes of it."""
    while True:
        run = executor.start(
            flow, event, functions=FUNCTIONS, observer=observer, timeline=keys.timeline
        )
        try:
            result: Event = run.result()
            return result
        except TaskFailed as failed:
            again = second_try(event, failed.error)
            if again is None:
                raise named(failed) from failed
            event = again
        finally:
            records += run.records()


@contextlib.contextmanager
def _timeline(path: Path | None, source: str) -> Iterator[list[TaskRecord]]:
    """A list for records, of which a page is written when a job ends."""
    records: list[TaskRecord] = []
    try:
        yield records
    except BaseException:
        if path is not None:
            # The user must see why the job failed, not why its page did.
            with contextlib.suppress(ExCameraError):
                write_page(path, records, title=source)
        raise
    if path is not None:
        write_page(path, records, title=source)


@contextlib.contextmanager
def _report(
    path: Path | None, work: Work, output: Path, records: list[TaskRecord], processes: int
) -> Iterator[None]:
    """Write the page of a job when it ends; of one that fails, what is known of it."""
    if path is None:
        yield
        return
    try:
        yield
    except Exception as error:
        # The user must see why the job failed, not why its page did.
        with contextlib.suppress(ExCameraError, OSError):
            failed = job_facts(work.path, records, name=output.name, log=[str(error)])
            write_report(path, report_of(failed, measure=False))
        raise
    facts = job_facts(work.path, records, name=output.name)
    write_report(path, report_of(facts, workers=processes))


def named(failure: TaskFailed) -> Exception:
    """The pipeline's own error behind a failed task, or the failure itself."""
    kind = getattr(errors, failure.error, None)
    if isinstance(kind, type) and issubclass(kind, errors.ExCameraError):
        return kind(failure.message)
    if failure.error == "WorkerDied":
        return errors.WorkerCrashed(
            f"task {failure.task} failed: {failure.message}; if there was memory enough, a library "
            "has crashed: please report it, with the source if you may"
        )
    return failure


@contextlib.contextmanager
def _left(work: Work, say: Callable[[str], None]) -> Iterator[None]:
    """Say what stays of an encode that did not succeed."""
    try:
        yield
    except BaseException as error:
        if work.stays(error):
            say(
                f"what is done so far stays in {work.path}: the same command goes on from there; "
                "`excamera clean --all` removes it"
            )
        raise


@contextlib.contextmanager
def _room(work: Work) -> Iterator[None]:
    """Say which folder is full, wherever it was found out."""
    try:
        yield
    except (OSError, StoreFull, TaskFailed) as error:
        reason = _no_room(error)
        if reason is None:
            raise
        shared = Path(tempfile.gettempdir())
        if work.named == shared or _is_about(work.path.absolute(), shared, str(error)):
            raise full(work.named, reason, work.advice) from error
        raise full(shared, reason, TMPDIR_ADVICE) from error


def _no_room(error: OSError | StoreFull | TaskFailed) -> str | None:
    """What the system says if an error, here or of a task, means that a folder is full."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, StoreFull):
        number = error.__cause__.errno if isinstance(error.__cause__, OSError) else errno.ENOSPC
    elif isinstance(error, TaskFailed):
        if error.error == StoreFull.__name__:
            return error.message.rpartition(": ")[2]
        # All that is left of an exception in another process is its text.
        found = _NUMBER.match(error.message)
        number = int(found[1]) if found else None
    return os.strerror(number) if number in NO_ROOM else None


def _is_about(kept: Path, temporary: Path, message: str) -> bool:
    """Whether the job's own folder is full, and not the one for temporary files."""
    named = [str(folder) in message for folder in (kept, temporary)]
    if named[0] != named[1]:
        return named[0]
    return shutil.disk_usage(kept).free <= shutil.disk_usage(temporary).free


def _readable(source: str, store: DirectoryStore, keys: Keys) -> Event:
    """The source as the index step takes it; a source that can only be read once is copied."""
    if not _is_read_once(source):
        return {"name": source, "path": str(Path(source).resolve()), "mark": mark_of(source)}
    name = "standard input" if source == "-" else source
    spool = store.path(keys.spool)
    spool.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(spool) as part, part.open("wb") as out:
        for block in _blocks(source, name):
            out.write(block)
    return {"name": name, "key": keys.spool}


def _places(source: str, output: Path, work: Work, spool: Path) -> Event:
    """What `check_room` has to know."""
    target = destination(output)
    if is_sequence(source):
        size = sum(one.size for one in find_pictures(source, source).pictures)
    else:
        size = (spool if _is_read_once(source) else Path(source)).stat().st_size
    return {
        "work": str(work.path),
        "named": str(work.named),
        "advice": work.advice,
        "there": bytes_in(work.path) if work.resumes else 0,
        "output": None if is_special(target) else str(target.absolute().parent),
        "source_bytes": size,
    }


def _is_read_once(source: str) -> bool:
    """Whether a source is a pipe or the like, from which only one run can read."""
    if source == "-":
        return True
    return not is_sequence(source) and not stat.S_ISREG(Path(source).stat().st_mode)


def _blocks(source: str, name: str) -> Iterator[bytes]:
    try:
        with contextlib.ExitStack() as opened:
            if source == "-":
                pipe: BinaryIO = sys.stdin.buffer
            else:
                pipe = opened.enter_context(Path(source).open("rb"))
            while block := pipe.read(_BLOCK):
                yield block
    except OSError as error:
        raise InputNotReadable(f"{name}: {error.strerror}") from error
