"""Jobs whose spans and batches run in the job's own execution, and the same in child executions."""

from __future__ import annotations

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
from mu.fanout import ATTEMPTS, MOST_AT_ONCE
from tests.aws.conftest import Locally
from tests.aws.spans import FRAMES, in_spans
from tests.aws.test_cancel import stopped_at
from tests.aws.test_faults import metadata
from tests.aws.ways import entered, inline_up_to, ways
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
    """If this fails, a job of few batches has another result or timeline than one of many."""
    jobs = {}
    for calls in (1000, 0):
        with in_spans(stack), inline_up_to(stack, calls):
            job = stack.job(stack.upload(f"ways/{calls}.mp4", film))
        assert job.status == "SUCCEEDED", job
        assert digest(stack.output(job.output["key"])) == locally(film)
        way = ["inline"] if calls else ["distributed"]
        assert ways(emulator, job.arn) == ways(emulator, job.arn, "spans") == way
        jobs[calls] = job
    first, second = (told(stack, job) for job in jobs.values())
    assert [name for _, name in first] == [name for _, name in second]
    names = {name for _, name in first}
    assert names == {"index", "survey", "plan", "audio", "anchors", "encode", "stitch"}
    # What becomes of children is listed; inline there are none.
    results = [stack.keys("WorkBucket", Keys(job.name).map_results) for job in jobs.values()]
    assert not results[0]
    assert results[1]


def test_more_batches_than_a_map_runs_at_once_run_in_groups(
    emulator: Emulator, stack: Deployed, locally: Locally, tmp_path: Path
) -> None:
    """If this fails, the forty-first batch is lost, or waits for the others."""
    options = EncodeOptions(chunk_frames=2, batch_chunks=1, mode="rebase")
    count = MOST_AT_ONCE + 2
    film = Clip(frames=2 * count, width=48, height=32).write(tmp_path / "film.mp4")
    with inline_up_to(stack, count):
        job = stack.job(stack.upload("ways/groups.mp4", film, metadata(options)))
    assert job.status == "SUCCEEDED", job
    assert ways(emulator, job.arn) == ["grouped"]
    assert entered(emulator, job.arn).count("batches group") == 2
    assert entered(emulator, job.arn).count("encode grouped") == count
    assert digest(stack.output(job.output["key"])) == locally(film, options)
    # One call fewer is allowed: the same job in children.
    with inline_up_to(stack, count - 1):
        job = stack.job(stack.upload("ways/no groups.mp4", film, metadata(options)))
    assert ways(emulator, job.arn) == ["distributed"]
    assert digest(stack.output(job.output["key"])) == locally(film, options)


def test_a_job_that_is_refused_inline_goes_on_distributed(
    emulator: Emulator, stack: Deployed, locally: Locally, short: Path
) -> None:
    """If this fails, a busy account fails a short job, or fills its history."""
    with stopped_at(stack, "encode"):
        upload = stack.upload("ways/refused.mp4", short, metadata(OPTIONS))
        arn = stack.started(upload)
        # It gives up inline, and then waits for as long as it takes.
        until(lambda: ways(emulator, arn) == ["inline", "distributed"])
    job = stack.ended(arn)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(job.output["key"])) == locally(short, OPTIONS)
    found = entered(emulator, arn)
    assert found.count("index") == 2
    assert "job failed" in found
    # A call that records the failure of another batch may end after the job has started again.
    key = Keys(job.name).failure
    if key in stack.keys("WorkBucket", key):
        assert stack.read_work(key)["inline"]
    # No halves yet: the account was not asked for long.
    plan = max(stack.timeline(job, "plan"), key=lambda record: record["started"])
    assert plan["event"]["limits"]["inline_calls"] == 0


def test_surveys_that_are_refused_inline_go_on_distributed(
    emulator: Emulator, stack: Deployed, locally: Locally, film: Path
) -> None:
    """If this fails, only batches start again distributed, and surveys fail their job."""
    with in_spans(stack):
        with stopped_at(stack, "survey"):
            arn = stack.started(stack.upload("ways/refused survey.mp4", film))
            until(lambda: ways(emulator, arn, "spans") == ["inline", "distributed"])
        job = stack.ended(arn)
    assert job.status == "SUCCEEDED", job
    assert ways(emulator, arn) == ["distributed"]
    assert digest(stack.output(job.output["key"])) == locally(film)


@pytest.mark.parametrize("calls", [1000, 0])
def test_a_batch_that_fails_is_recorded_and_redriven(
    emulator: Emulator, stack: Deployed, locally: Locally, short: Path, calls: int
) -> None:
    """If this fails, a job whose batch failed says less of it inline, or cannot be mended."""
    states = stack.client("stepfunctions")
    work = stack.outputs["WorkBucket"]
    with inline_up_to(stack, calls):
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
    # A history that has events has no room for another inline map.
    assert ways(emulator, arn) == [("inline" if calls else "distributed"), "distributed"]
    attempts = [record["attempts"] for record in stack.timeline(job, "encode")]
    assert max(attempts) <= 1 + ATTEMPTS


def test_a_job_that_was_stopped_inline_goes_on_where_it_was(
    emulator: Emulator, stack: Deployed, locally: Locally, tmp_path: Path
) -> None:
    """If this fails, a redrive of a job that was stopped in an inline map loses its batches."""
    film = Clip(frames=48, width=640, height=360).write(tmp_path / "film.mp4")
    states = stack.client("stepfunctions")
    arn = stack.started(stack.upload("ways/stopped.mp4", film, metadata(OPTIONS)))
    until(lambda: "encode inline" in entered(emulator, arn))
    states.stop_execution(executionArn=arn)
    stopped = stack.ended(arn)
    assert stopped.status == "ABORTED"
    assert "stitch" not in entered(emulator, arn)
    record = Keys(stopped.name).failure
    until(lambda: record in stack.keys("WorkBucket", record))  # all has heard of the end
    states.redrive_execution(executionArn=arn)
    job = stack.ended(arn)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(job.output["key"])) == locally(film, OPTIONS)
    # It went on in the map; it did not start again.
    assert entered(emulator, arn).count("index") == 1
    assert set(ways(emulator, arn)) == {"inline"}


@pytest.mark.parametrize("calls", [1000, 0])
def test_the_api_tells_the_progress_of_a_job_in_every_way(
    emulator: Emulator, stack: Deployed, monkeypatch: pytest.MonkeyPatch, short: Path, calls: int
) -> None:
    """If this fails, whoever follows a job of few batches sees less, or no cost."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    account = Account()
    api = Api.of_stack(account, account.stack(stack.name))
    with inline_up_to(stack, calls), stopped_at(stack, "stitch"):
        arn = stack.started(stack.upload(f"ways/seen {calls}.mp4", short, metadata(OPTIONS)))
        until(lambda: "stitch" in entered(emulator, arn))
        seen: dict[str, Any] = api.get(f"/jobs/{arn.rsplit(':', 1)[-1]}")
    assert seen["phase"] == "stitching", seen
    assert seen["batches"] == {"done": 3, "total": 3}
    assert seen["cost"]["so_far_usd"] > 0
    assert stack.ended(arn).status == "SUCCEEDED"
