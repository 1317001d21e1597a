"""A whole encode on this machine: checks, job directory, engine, the finished file."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from excamera import errors
from excamera.errors import (
    NoOutputFolder,
    NoSuchInput,
    OptionError,
    OutputExists,
    OutputIsDirectory,
    OutputIsInput,
    OutputNotWritable,
    SeveralSequences,
    UnknownOutputFormat,
)
from excamera.job.flow import FUNCTIONS, excamera_flow
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.page import check_page, write_timeline
from excamera.job.records import JobResult
from excamera.lifecycle.failure import second_try
from excamera.media.container.output import ENDINGS, OUTPUT_CONTAINERS
from excamera.media.source.location import sequence_refused
from excamera.media.source.numbered import find_pictures, is_sequence
from mu import DirectoryStore, Event, Executor, Observer, TaskFailed, TaskRecord

_JOB = "local"


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


def check_input(source: str, *, takes_sequences: bool = False) -> None:
    """Refuse a source that does not exist.

    Args:
        source: a path, or "-".
        takes_sequences: whether it may be numbered pictures.

    Raises:
        NoSuchInput: there is no such file.
        InputIsDirectory: it is a directory without numbered pictures.
        SeveralSequences: it is not clear which pictures are meant.
        SequenceRefused: it is a sequence of these.
    """
    if source == "-":
        return
    path = Path(source)
    if is_sequence(source) and takes_sequences:
        find_pictures(source, source)
    elif is_sequence(source):
        with contextlib.suppress(SeveralSequences):
            find_pictures(source, source)
        raise sequence_refused(source)
    elif not path.exists():
        raise NoSuchInput(f"{source}: no such file")


def check_output(output: Path, overwrite: bool, source: str = "-") -> str:
    """Refuse an output that cannot be written, before any work is done.

    Returns:
        The container that the extension names.

    Raises:
        OutputError: the class says why.
    """
    container = output.suffix.lower().removeprefix(".")
    if output.is_dir():
        raise OutputIsDirectory(f"{output}: is a directory")
    if container not in OUTPUT_CONTAINERS:
        raise UnknownOutputFormat(f"{output}: the output must end in {ENDINGS}")
    if not output.parent.is_dir():
        raise NoOutputFolder(f"{output}: there is no folder {output.parent}")
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise OutputIsInput(f"{output}: is the input itself")
    if output.exists() and not overwrite:
        raise OutputExists(f"{output}: exists already (--overwrite replaces it)")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise OutputNotWritable(f"{output}: the folder {output.parent} is not writable")
    return container


def encode_file(
    source: str,
    output: Path,
    options: EncodeOptions,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    fps: Fraction | None = None,
    keep_job: Path | None = None,
    timeline: Path | None = None,
    observer: Observer | None = None,
) -> EncodeResult:
    """Encode a video into one VP8 file; the output appears only when it is complete.

    Args:
        source: path of the source; or of a folder of numbered pictures, or a name that stands for
            them, such as "frame_%04d.png"; or "-" for standard input.
        output: a path that ends in .webm or .ivf.
        options: the options that decide the bytes.
        workers: number of processes; None for one per CPU.
        overwrite: whether an existing output may be replaced.
        fps: rate of numbered pictures; None for 25 a second.
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
    if fps is not None and not is_sequence(source):
        raise OptionError("fps is for numbered pictures; a video has a rate of its own")
    container = check_output(output, overwrite, source)
    if timeline is not None:
        check_page(timeline)
    with _job_directory(keep_job) as directory:
        store = DirectoryStore(directory)
        keys = Keys(_JOB)
        event: Event = {
            "job": _JOB,
            "input": _readable(source, store, keys) | ({"fps": str(fps)} if fps else {}),
            "container": container,
            "options": options.to_json(),
            "index": "auto",
        }
        with (
            Executor(workers=workers, store=store) as executor,
            _timeline(timeline, Path(event["input"]["name"]).name) as records,
        ):
            result = JobResult.from_json(_run(executor, event, observer, keys, records))
        _publish(store.path(result.key), output, overwrite)
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
            with contextlib.suppress(OutputNotWritable):
                write_timeline(path, records, title=source)
        raise
    if path is not None:
        write_timeline(path, records, title=source)


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
        yield keep
        return
    directory = Path(tempfile.mkdtemp(prefix="excamera-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _readable(source: str, store: DirectoryStore, keys: Keys) -> Event:
    """The source as the index step takes it; a source that can only be read once is copied."""
    if source != "-" and (is_sequence(source) or stat.S_ISREG(Path(source).stat().st_mode)):
        return {"name": source, "path": str(Path(source).resolve())}
    with tempfile.NamedTemporaryFile(dir=store.root, delete=False) as spool:
        if source == "-":
            shutil.copyfileobj(sys.stdin.buffer, spool)
        else:
            with Path(source).open("rb") as pipe:
                shutil.copyfileobj(pipe, spool)
    store.put_file(keys.spool, spool.name)
    name = "standard input" if source == "-" else source
    return {"name": name, "key": keys.spool}


def _publish(finished: Path, output: Path, overwrite: bool) -> None:
    """Copy the result beside the output, then rename it, so that it appears all at once."""
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(finished, part)
        if not overwrite and output.exists():
            raise OutputExists(f"{output}: exists already (--overwrite replaces it)")
        part.replace(output)
    except OSError as error:
        raise OutputNotWritable(f"{output}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
