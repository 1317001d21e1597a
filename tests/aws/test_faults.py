"""Workers that die, hang, are throttled or run out of memory: retries give the same bytes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, Job, digest
from emulator.runs import until
from excamera.job.encoders import AnchorSettings
from excamera.job.options import EncodeOptions
from tests.aws.spans import FRAMES, in_spans
from tests.pipeline.clips import Clip

Locally = Callable[..., str]

pytestmark = pytest.mark.aws

SHORT = EncodeOptions(chunk_frames=6)
PUBLISHED = EncodeOptions(chunk_frames=6, mode="rebase")
HASTY = EncodeOptions(crf=60, anchors=AnchorSettings(effort=0))
"""For a film that has to be long, but not good."""


def metadata(options: EncodeOptions) -> dict[str, str]:
    """Returns the options as an upload's metadata."""
    offered = options.offered().items()
    return {f"excamera-{name.replace('_', '-')}": str(value) for name, value in offered}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight chunks that take long enough to be interrupted."""
    return Clip(frames=48, width=480, height=272).write(
        tmp_path_factory.mktemp("film") / "film.mp4"
    )


@pytest.fixture(scope="module")
def large_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four chunks; joining them takes far more than the smallest memory of a function."""
    # 720p took about as much as that memory, so that it depended on other processes what happened.
    return Clip(frames=24, width=1920, height=1080).write(
        tmp_path_factory.mktemp("large") / "film.mp4"
    )


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spans that take long enough to be interrupted."""
    return Clip(frames=FRAMES, width=640, height=360).write(
        tmp_path_factory.mktemp("long") / "film.mp4"
    )


def attempts(stack: Deployed, job: Job, step: str) -> int:
    """Returns the number of attempts at all tasks of a step."""
    return sum(int(record["attempts"]) for record in stack.timeline(job, step))


def strike(emulator: Emulator, function: str, number: signal.Signals) -> int:
    """Sends a signal to a worker in the middle of a call, not at its end; returns its process."""
    while True:
        (pid, *_) = until(lambda: emulator.workers(function))
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.2)
        if pid in emulator.workers(function):
            os.kill(pid, number)
            return pid
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("step", "options"),
    [("anchors", SHORT), ("encode", SHORT), ("encode", PUBLISHED)],
    ids=["anchors", "encode", "rebase"],
)
def test_a_killed_worker(
    stack: Deployed,
    emulator: Emulator,
    locally: Locally,
    film: Path,
    step: str,
    options: EncodeOptions,
) -> None:
    """If this fails, one lost machine loses or changes the film."""
    upload = stack.upload(f"killed {step} {options.mode}.mp4", film, metadata(options))
    strike(emulator, stack.function(step), signal.SIGKILL)
    job = stack.job(upload)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(job.output["key"])) == locally(film, options)
    assert attempts(stack, job, step) > len(stack.timeline(job, step))


def test_a_killed_worker_of_a_survey(
    stack: Deployed, emulator: Emulator, locally: Locally, long_film: Path
) -> None:
    """If this fails, one lost machine loses a long film, or changes where its batches end."""
    with in_spans(stack):
        upload = stack.upload("killed survey.mp4", long_film, metadata(HASTY))
        strike(emulator, stack.function("survey"), signal.SIGKILL)
        job = stack.job(upload)
    assert job.status == "SUCCEEDED", job
    # On this machine the film has no spans.
    assert digest(stack.output(job.output["key"])) == locally(long_film, HASTY)
    assert len(stack.timeline(job, "survey")) == 2
    assert attempts(stack, job, "survey") > 2


def test_a_worker_that_hangs(
    stack: Deployed, emulator: Emulator, locally: Locally, film: Path
) -> None:
    """If this fails, one hung worker hangs the job or changes the film."""
    # All others are within this limit, even on a busy machine.
    with stack.changed("encode", Timeout=20):
        upload = stack.upload("hangs.mp4", film, metadata(SHORT))
        strike(emulator, stack.function("encode"), signal.SIGSTOP)
        job = stack.job(upload)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(job.output["key"])) == locally(film, SHORT)
    assert attempts(stack, job, "encode") > len(stack.timeline(job, "encode"))


def test_workers_that_are_refused(stack: Deployed, locally: Locally, film: Path) -> None:
    """If this fails, "rate exceeded" fails a job that only had to wait."""
    functions, name = stack.client("lambda"), stack.function("encode")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    try:
        job = stack.job(stack.upload("refused.mp4", film, metadata(SHORT)))
    finally:
        functions.delete_function_concurrency(FunctionName=name)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(job.output["key"])) == locally(film, SHORT)
    assert attempts(stack, job, "encode") > len(stack.timeline(job, "encode"))


def test_a_job_that_never_has_memory(stack: Deployed, large_film: Path) -> None:
    """If this fails, a function that is too small ends as "unknown error"."""
    with stack.changed("encode", MemorySize=128):
        job = stack.job(stack.upload("too small.mp4", large_film, metadata(PUBLISHED)))
    assert (job.status, job.error) == ("FAILED", "WorkerDied")
    record = stack.failure(job)
    assert record["step"] == "encode"
    assert "more memory for its function" in record["message"]
    assert stack.keys("OutputBucket", "too small") == []
