"""The upload that a job's workers write its result with, when the job does not end well."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.excamera.deployed import Deployed, digest
from emulator.runs import until
from excamera.job.options import EncodeOptions
from tests.aws.conftest import Locally
from tests.aws.noise import write_noise

pytestmark = [pytest.mark.aws, pytest.mark.slow]

OPTIONS = EncodeOptions(crf=0, chunk_frames=6, batch_chunks=1)
METADATA = {"excamera-crf": "0", "excamera-chunk-frames": "6", "excamera-batch-chunks": "1"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four batches, some of which make a part together."""
    return write_noise(tmp_path_factory.mktemp("film") / "film.mkv", 24)


@contextlib.contextmanager
def held(stack: Deployed, step: str) -> Iterator[None]:
    """Makes Lambda refuse every call of one function, so that jobs wait at that step."""
    functions, name = stack.client("lambda"), stack.function(step)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def pending(stack: Deployed, key: str) -> list[str]:
    """The uploads of an output that are neither complete nor aborted."""
    found = stack.s3.list_multipart_uploads(Bucket=stack.outputs["OutputBucket"])
    return [one["UploadId"] for one in found.get("Uploads", ()) if one["Key"] == key]


def parts(stack: Deployed, key: str, name: str) -> int:
    """How many parts an upload has."""
    bucket = stack.outputs["OutputBucket"]
    found = stack.s3.list_parts(Bucket=bucket, Key=key, UploadId=name)
    return len(found.get("Parts", ()))


def put_together(stack: Deployed, job: str) -> bool:
    return any(key.endswith("/whole.json") for key in stack.keys("WorkBucket", f"jobs/{job}/"))


def test_a_failed_job_aborts_its_upload_and_a_redriven_one_finishes(
    stack: Deployed, film: Path, locally: Locally
) -> None:
    """If this fails, failed jobs leave parts that cost money, or can never be repaired."""
    taken = {"Bucket": stack.outputs["OutputBucket"], "Key": "fails late.webm"}
    with held(stack, "stitch"):
        arn = stack.started(stack.upload("fails late.mkv", film, METADATA))
        until(lambda: put_together(stack, arn.rpartition(":")[2]))
        [first] = pending(stack, taken["Key"])
        assert parts(stack, taken["Key"], first) > 0
        stack.s3.put_object(**taken, Body=b"somebody else's")
    failed = stack.ended(arn)
    assert (failed.status, failed.error) == ("FAILED", "OutputExists")
    until(lambda: not pending(stack, taken["Key"]))
    assert stack.keys("WorkBucket", f"jobs/{failed.name}/uploads/") == []

    stack.s3.delete_object(**taken)
    stack.client("stepfunctions").redrive_execution(executionArn=arn)
    again = stack.ended(arn)
    assert again.status == "SUCCEEDED", again
    assert digest(stack.output(taken["Key"])) == locally(film, OPTIONS)
    until(lambda: not stack.keys("WorkBucket", f"jobs/{failed.name}/uploads/"))


def test_a_stopped_job_aborts_its_upload(stack: Deployed, film: Path) -> None:
    """If this fails, a job that is stopped or runs out of time leaves its parts."""
    key = "stopped late.webm"
    with held(stack, "stitch"):
        arn = stack.started(stack.upload("stopped late.mkv", film, METADATA))
        until(lambda: put_together(stack, arn.rpartition(":")[2]))
        assert len(pending(stack, key)) == 1
        stack.client("stepfunctions").stop_execution(executionArn=arn)
        until(lambda: not pending(stack, key))


def test_a_job_whose_upload_is_gone_joins_its_batches(
    stack: Deployed, film: Path, locally: Locally
) -> None:
    """If this fails, a job that outlasts the bucket's rule for uploads fails at its end."""
    key = "outlasts.webm"
    with held(stack, "stitch"):
        arn = stack.started(stack.upload("outlasts.mkv", film, METADATA))
        until(lambda: put_together(stack, arn.rpartition(":")[2]))
        [name] = pending(stack, key)
        bucket = stack.outputs["OutputBucket"]
        stack.s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=name)
    job = stack.ended(arn)
    assert job.status == "SUCCEEDED", job
    assert digest(stack.output(key)) == locally(film, OPTIONS)
    head = stack.s3.head_object(Bucket=bucket, Key=key)
    assert json.dumps(head["Metadata"]).count(job.name) == 1
