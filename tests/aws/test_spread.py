"""Jobs whose spans and batches one function begins, and the same in child executions."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, Job, digest
from emulator.runs import until
from excamera.cloud.account import Account
from excamera.cloud.api import Api
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from mu.fanout import DISTRIBUTED, SPREAD
from tests.aws.conftest import Locally
from tests.aws.spans import FRAMES, in_spans
from tests.aws.test_admission import throttles
from tests.aws.test_cancel import stopped_at
from tests.aws.test_faults import metadata, strike
from tests.aws.ways import entered, spread_up_to, ways
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow]

OPTIONS = EncodeOptions(chunk_frames=6, batch_chunks=2)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spans, if these are short, and batches of several shares; with sound."""
    clip = Clip(frames=FRAMES, width=48, height=32, sound="aac")
    return clip.write(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three batches."""
    clip = Clip(frames=29, width=48, height=32, sound="aac")
    return clip.write(tmp_path_factory.mktemp("short") / "film.mp4")


def told(stack: Deployed, job: Job) -> list[tuple[str, str]]:
    """Returns the tasks of a job's timeline, and the names that their records have."""
    prefix = Keys(job.name).timeline
    keys = stack.keys("WorkBucket", f"{prefix}/")
    return sorted((key.split("/")[3].split(".")[0], stack.read_work(key)["name"]) for key in keys)


def test_a_job_is_the_same_in_every_way(
    emulator: Emulator, stack: Deployed, locally: Locally, film: Path
) -> None:
    """If this fails, a job that one function begins has another result or timeline than others."""
    jobs = {}
    for calls in (1000, 0):
        with in_spans(stack), spread_up_to(stack, calls):
            job = stack.job(stack.upload(f"ways/{calls}.mp4", film))
        assert job.status == "SUCCEEDED", job
        assert digest(stack.output(job.output["key"])) == locally(film)
        way = [SPREAD] if calls else [DISTRIBUTED]
        assert ways(emulator, job.arn) == ways(emulator, job.arn, "spans") == way
        jobs[calls] = job
    first, second = (told(stack, job) for job in jobs.values())
    maps = {("spread-batches", "batches spread"), ("spread-spans", "spans spread")}
    assert {one for one in first if one in maps} == maps
    assert [one for one in first if one not in maps] == second
    names = {name for _, name in second}
    assert names == {"index", "survey", "plan", "audio", "anchors", "encode", "stitch"}
    # What becomes of children is listed; here there are none.
    results = [stack.keys("WorkBucket", Keys(job.name).map_results) for job in jobs.values()]
    assert not results[0]
    assert results[1]


def test_a_film_without_spans_has_no_map_for_them(
    emulator: Emulator, stack: Deployed, locally: Locally, short: Path
) -> None:
    """If this fails, short films wait for a map over nothing."""
    job = stack.job(stack.upload("ways/short.mp4", short, metadata(OPTIONS)))
    assert job.status == "SUCCEEDED", job
    assert ways(emulator, job.arn) == [SPREAD]
    assert ways(emulator, job.arn, "spans") == []
    assert digest(stack.output(job.output["key"])) == locally(short, OPTIONS)


def test_calls_that_are_refused_wait_for_a_place(
    emulator: Emulator, stack: Deployed, locally: Locally, short: Path
) -> None:
    """If this fails, a busy account ends the fast way at once, or fails a job."""
    before = throttles(emulator, stack)
    with stopped_at(stack, "encode"):
        arn = stack.started(stack.upload("ways/refused.mp4", short, metadata(OPTIONS)))
        until(lambda: "batches spread" in entered(emulator, arn))
        until(lambda: throttles(emulator, stack) != before)
    job = stack.ended(arn)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(job.output["key"])) == locally(short, OPTIONS)
    assert ways(emulator, arn) == [SPREAD]
    assert max(record["attempts"] for record in stack.timeline(job, "encode")) > 1


def test_a_function_that_is_killed_leaves_the_rest_to_children(
    emulator: Emulator, stack: Deployed, locally: Locally, tmp_path: Path
) -> None:
    """If this fails, a job dies with the one function that begins all its calls."""
    film = Clip(frames=48, width=640, height=360).write(tmp_path / "film.mp4")
    upload = stack.upload("ways/killed.mp4", film, metadata(OPTIONS))
    strike(emulator, stack.function("spread"), signal.SIGKILL)
    job = stack.job(upload)
    assert job.status == "SUCCEEDED", job
    assert ways(emulator, job.arn) == [SPREAD, DISTRIBUTED]
    assert digest(stack.output(job.output["key"])) == locally(film, OPTIONS)
    assert entered(emulator, job.arn).count("index") == 1


def test_a_function_that_is_refused_leaves_all_to_children(
    emulator: Emulator, stack: Deployed, locally: Locally, film: Path
) -> None:
    """If this fails, an account without a place for one function more does no surveys."""
    with in_spans(stack), stopped_at(stack, "spread"):
        job = stack.job(stack.upload("ways/no spread.mp4", film))
    assert job.status == "SUCCEEDED", job
    for name in ("spans", "batches"):
        assert ways(emulator, job.arn, name) == [SPREAD, DISTRIBUTED]
    assert digest(stack.output(job.output["key"])) == locally(film)


@pytest.mark.parametrize("calls", [1000, 0])
def test_a_batch_that_fails_is_recorded_and_redriven(
    emulator: Emulator, stack: Deployed, locally: Locally, short: Path, calls: int
) -> None:
    """If this fails, a job whose batch failed says less of it if spread, or cannot be mended."""
    states = stack.client("stepfunctions")
    work = stack.outputs["WorkBucket"]
    with spread_up_to(stack, calls):
        with stopped_at(stack, "audio"):  # batches begin when there is sound
            arn = stack.started(stack.upload(f"ways/fails {calls}.mp4", short, metadata(OPTIONS)))
            keys = Keys(arn.rsplit(":", 1)[-1])
            until(lambda: keys.items in stack.keys("WorkBucket", keys.items))
            stack.s3.delete_object(Bucket=work, Key=keys.part(1))
        job = stack.ended(arn)
    assert (job.status, job.error) == ("FAILED", "NoSuchKey"), job
    record = stack.failure(job)
    assert {name: record[name] for name in ("step", "error", "batch", "share")} == {
        "step": "encode", "error": "NoSuchKey", "batch": 1, "share": 0,
    }  # fmt: skip
    assert job.message == record["message"]
    assert record["message"].startswith("encode of batch 1, share 0: ")
    states.redrive_execution(executionArn=arn)
    again = stack.ended(arn)
    assert again.status == "SUCCEEDED", again
    assert digest(stack.output(again.output["key"])) == locally(short, OPTIONS)
    # The children try what one function could not, and the job starts again with children alone.
    first = [SPREAD, DISTRIBUTED] if calls else [DISTRIBUTED]
    assert ways(emulator, arn) == [*first, DISTRIBUTED]


def test_a_job_that_was_stopped_goes_on_where_it_was(
    emulator: Emulator, stack: Deployed, locally: Locally, tmp_path: Path
) -> None:
    """If this fails, a redrive of a job that was stopped as one function ran it loses batches."""
    film = Clip(frames=48, width=640, height=360).write(tmp_path / "film.mp4")
    states = stack.client("stepfunctions")
    arn = stack.started(stack.upload("ways/stopped.mp4", film, metadata(OPTIONS)))
    # Held, so that the batches cannot end by themselves before.
    worker = strike(emulator, stack.function("encode"), signal.SIGSTOP)
    try:
        states.stop_execution(executionArn=arn)
        stopped = stack.ended(arn)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert stopped.status == "ABORTED"
    assert entered(emulator, arn)[-1] == "batches spread"
    record = Keys(stopped.name).failure
    until(lambda: record in stack.keys("WorkBucket", record))  # all has heard of the end
    states.redrive_execution(executionArn=arn)
    job = stack.ended(arn)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(job.output["key"])) == locally(film, OPTIONS)
    # It went on with the batches; it did not start again.
    assert entered(emulator, arn).count("index") == 1


@pytest.mark.parametrize("calls", [1000, 0])
def test_the_api_tells_the_progress_of_a_job_in_every_way(
    emulator: Emulator, stack: Deployed, monkeypatch: pytest.MonkeyPatch, short: Path, calls: int
) -> None:
    """If this fails, whoever follows a job of few batches sees less, or no cost."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    account = Account()
    api = Api.of_stack(account, account.stack(stack.name))
    with spread_up_to(stack, calls), stopped_at(stack, "stitch"):
        arn = stack.started(stack.upload(f"ways/seen {calls}.mp4", short, metadata(OPTIONS)))
        until(lambda: "stitch" in entered(emulator, arn))
        seen: dict[str, Any] = api.get(f"/jobs/{arn.rsplit(':', 1)[-1]}")
    assert seen["phase"] == "stitching", seen
    assert seen["batches"] == {"done": 3, "total": 3}
    assert seen["cost"]["so_far_usd"] > 0
    assert stack.ended(arn).status == "SUCCEEDED"
