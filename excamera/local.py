"""A whole encode on this machine: checks, job directory, engine, the finished file."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from excamera import errors
from excamera.errors import ExCameraError, InputNotReadable, JobInUse
from excamera.job.codecs import check_pair
from excamera.job.flow import FUNCTIONS, excamera_flow
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.records import JobResult
from excamera.lifecycle.failure import second_try
from excamera.media.source.numbered import is_sequence
from excamera.places import check_input, check_output, check_timeline, full, write_page, written
from mu import DirectoryStore, Event, Executor, Observer, StoreFull, TaskFailed, TaskRecord
from mu.machine import available_cpus
from mu.whole import NO_ROOM, whole_file

_JOB = "local"
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
        sound: "copied", "encoded" or "none".
        indexed_by: "packets", or "decoding" if the packets could not be trusted.
        notes: what a user should know of the source, a line each.
    """

    path: Path
    size: int
    frames: int
    key_frames: int
    duration_s: float
    sound: str
    indexed_by: str
    notes: tuple[str, ...] = ()


def encode_file(
    source: str,
    output: Path,
    options: EncodeOptions,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    keep_job: Path | None = None,
    timeline: Path | None = None,
    observer: Observer | None = None,
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
            source and options can resume; None for a temporary one.
        timeline: page with the timeline of the tasks that ended, also if the encode fails; it
            ends in .html, and replaces one of before.
        observer: hears of the progress.

    Raises:
        ExCameraError: the class says why.
        mu.TaskFailed: a task failed for another reason, or its worker died.
    """
    check_input(source, takes_sequences=True)
    container = check_output(output, overwrite, source)
    check_pair(container, options.codec)
    if timeline is not None:
        check_timeline(timeline, source)
    processes = workers or available_cpus()
    with _room(keep_job), _job_directory(keep_job) as directory:
        store = DirectoryStore(directory)
        keys = Keys(_JOB)
        event: Event = {
            "job": _JOB,
            "input": _readable(source, store, keys),
            "container": container,
            "options": options.to_json(),
            "index": "auto",
            "limits": {"processes": processes},
        }
        with (
            Executor(workers=processes, store=store) as executor,
            _timeline(timeline, Path(event["input"]["name"]).name) as records,
        ):
            result = JobResult.from_json(_run(executor, event, observer, keys, records))
            with (
                written(output, overwrite=overwrite) as part,
                store.path(result.key).open("rb") as finished,
                part.open("wb") as out,
            ):
                shutil.copyfileobj(finished, out, _BLOCK)
        return EncodeResult(
            path=output,
            size=result.size,
            frames=result.frames,
            key_frames=result.key_frames,
            duration_s=result.duration_s,
            sound=result.sound,
            indexed_by=Job.load(store, _JOB).plan.source.indexed_by,
            notes=tuple(result.notes),
        )


def _run(
    executor: Executor,
    event: Event,
    observer: Observer | None,
    keys: Keys,
    records: list[TaskRecord],
) -> Event:
    """Run the job; `records` gets those of all tasks that ended, whatever becomes of it."""
    flow = excamera_flow()
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
def _job_directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        with _alone(keep):
            yield keep
        return
    directory = Path(tempfile.mkdtemp(prefix="excamera-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold a directory: two encodes in it would take each other's objects for their own."""
    # The lock goes with this process, however it ends. Workers do not inherit it.
    with (directory / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JobInUse(
                f"{directory}: another encode keeps its job there: wait for its end, or name "
                "another directory with --keep-job"
            ) from error
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise  # otherwise this file system has no locks
        yield


@contextlib.contextmanager
def _room(keep: Path | None) -> Iterator[None]:
    """Say which folder is full, wherever it was found out."""
    try:
        yield
    except (OSError, StoreFull, TaskFailed) as error:
        reason = _no_room(error)
        if reason is None:
            raise
        temporary = Path(tempfile.gettempdir())
        if keep is not None and _is_about(keep.absolute(), temporary, str(error)):
            raise full(keep, reason, "name another directory with --keep-job") from error
        raise full(
            temporary, reason, "set the variable TMPDIR to a folder that has more"
        ) from error


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
    """Whether the kept job's directory is full, and not the one for temporary files."""
    named = [str(folder) in message for folder in (kept, temporary)]
    if named[0] != named[1]:
        return named[0]
    return shutil.disk_usage(kept).free <= shutil.disk_usage(temporary).free


def _readable(source: str, store: DirectoryStore, keys: Keys) -> Event:
    """The source as the index step takes it; a source that can only be read once is copied."""
    if source != "-" and (is_sequence(source) or stat.S_ISREG(Path(source).stat().st_mode)):
        return {"name": source, "path": str(Path(source).resolve())}
    name = "standard input" if source == "-" else source
    spool = store.path(keys.spool)
    spool.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(spool) as part, part.open("wb") as out:
        for block in _blocks(source, name):
            out.write(block)
    return {"name": name, "key": keys.spool}


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
