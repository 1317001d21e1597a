"""Every end of a job is announced: to the topic, on the event bus, in the store, by webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.excamera.deployed import Deployed
from emulator.runs import until
from excamera.lifecycle.uploads import job_of_upload
from tests.aws.listeners import BusListener, Subscriber
from tests.pipeline.clips import Clip

pytestmark = pytest.mark.aws

TAG = {"order": 17, "who": ["Ann", "Bo"]}


@pytest.fixture(scope="module")
def everything(stack: Deployed) -> Subscriber:
    """A subscriber to all ends."""
    return Subscriber(stack.client, stack.outputs["JobsTopic"])


@pytest.fixture(scope="module")
def bus(stack: Deployed) -> Iterator[BusListener]:
    """A user's own rule."""
    return BusListener(stack.client)


def start(stack: Deployed, key: str, content: bytes | Path, tag: Any = None) -> str:
    """Starts a job by hand, for an upload that starts none; returns the execution's ARN."""
    upload = stack.upload(key, content)
    job = job_of_upload(
        stack.event(upload)["detail"],
        options={},
        output_store=f"s3://{stack.outputs['OutputBucket']}",
    )
    started = stack.client("stepfunctions").start_execution(
        stateMachineArn=stack.outputs["StateMachineArn"],
        name=job["job"],
        input=json.dumps({**job, "tag": tag}),
    )
    return str(started["executionArn"])


def end(stack: Deployed, job: str) -> dict[str, Any]:
    """Waits for the record of a job's end in the store and returns it."""
    key = f"jobs/{job}/end.json"
    until(lambda: stack.keys("WorkBucket", key))
    found: dict[str, Any] = stack.read_work(key)
    return found


def test_a_job_that_succeeds_is_told(
    stack: Deployed, everything: Subscriber, bus: BusListener, clip: Path
) -> None:
    """If this fails, a finished film is not announced, or without its upload or its location."""
    job = stack.ended(start(stack, "films/told.film", clip, TAG))
    assert job.status == "SUCCEEDED", job
    message = everything.one(job.name)
    assert message.pop("attributes") == {"status": "succeeded"}
    event = bus.one(job.name)
    assert event["resources"] == [job.arn]
    assert message == event["detail"] == end(stack, job.name)
    assert message["status"] == "succeeded"
    assert message["tag"] == TAG
    assert message["stack"] == stack.name
    assert message["source"] == {"bucket": stack.outputs["InputBucket"], "key": "films/told.film"}
    size = len(stack.output("films/told.webm"))
    assert message["result"] == {
        "bucket": stack.outputs["OutputBucket"], "key": "films/told.webm",
        "size": size, "frames": 26, "duration_s": job.output["duration_s"],
    }  # fmt: skip
    assert message["started"] < message["ended"]
    assert message["cost_usd"] > 0
    assert "error" not in message


def test_a_job_that_fails_is_told_with_its_reason(
    stack: Deployed, everything: Subscriber, bus: BusListener
) -> None:
    """If this fails, a user never learns that the job failed, or why."""
    job = stack.ended(start(stack, "broken.film", b"no video", TAG))
    message = everything.one(job.name)
    assert message.pop("attributes") == {"status": "failed", "error": "NotAVideo"}
    assert message == bus.one(job.name)["detail"] == end(stack, job.name)
    assert message["error"] == stack.failure(job)["error"] == "NotAVideo"
    assert message["message"] == stack.failure(job)["message"]
    assert message["tag"] == TAG
    assert "result" not in message


def test_a_subscriber_hears_only_of_what_it_asks_for(stack: Deployed) -> None:
    """If this fails, filters by status or error cannot work."""
    policy = {"status": ["failed"], "error": ["NotAVideo"]}
    failures = Subscriber(stack.client, stack.outputs["JobsTopic"], policy)
    others = Subscriber(stack.client, stack.outputs["JobsTopic"], {"status": ["succeeded"]})
    job = stack.ended(start(stack, "filtered.film", b"no video"))
    assert failures.one(job.name)["error"] == "NotAVideo"
    assert others.of(job.name) == []


def test_a_stopped_job_is_told_as_stopped(
    stack: Deployed, everything: Subscriber, tmp_path: Path
) -> None:
    """If this fails, a stopped job is not announced, or without its reason."""
    source = Clip(frames=60, width=640, height=360).write(tmp_path / "long.mp4")
    arn = start(stack, "stopped.film", source)
    stack.client("stepfunctions").stop_execution(executionArn=arn, cause="wrong film")
    message = everything.one(arn.rpartition(":")[2])
    assert message["status"] == "stopped"
    assert message["error"] == "JobStopped"
    assert message["message"] == "the job was stopped: wrong film"


def test_an_event_that_comes_twice_is_told_once(stack: Deployed, everything: Subscriber) -> None:
    """If this fails, EventBridge's "at least once" sends every subscriber two notices."""
    job = stack.ended(start(stack, "twice.film", b"no video"))
    told = everything.one(job.name)
    found = stack.client("stepfunctions").describe_execution(executionArn=job.arn)
    again = {name: found.get(name) for name in ("executionArn", "name", "status", "input", "cause")}
    again |= {name: round(found[name].timestamp() * 1000) for name in ("startDate", "stopDate")}
    end(stack, job.name)
    answer = stack.client("lambda").invoke(
        FunctionName=stack.function("ended"), Payload=json.dumps({"detail": again}).encode()
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert len(everything.of(job.name)) == 1
    assert end(stack, job.name)["id"] == told["id"]


def test_the_end_of_a_child_of_a_map_is_not_told(
    stack: Deployed, everything: Subscriber, bus: BusListener
) -> None:
    """If this fails, subscribers hear of every batch of a job, whatever name it has."""
    machine = f"{stack.outputs['StateMachineArn']}/batches"
    name = "0b6e7a5c-child"
    child = {
        "executionArn": f"{machine.replace(':stateMachine:', ':execution:')}:{name}",
        "stateMachineArn": machine, "name": name, "status": "FAILED", "cause": None,
        "input": "{}", "output": None, "startDate": 1_000_000, "stopDate": 1_002_500,
    }  # fmt: skip
    answer = stack.client("lambda").invoke(
        FunctionName=stack.function("ended"), Payload=json.dumps({"detail": child}).encode()
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    # A job that ends later is told: whatever the child had sent would be there by then.
    job = stack.ended(start(stack, "after-a-child.film", b"no video"))
    everything.one(job.name)
    bus.one(job.name)
    assert everything.of(name) == []
    assert stack.keys("WorkBucket", f"jobs/{name}/") == []


def test_a_redriven_job_is_told_again(stack: Deployed, everything: Subscriber, clip: Path) -> None:
    """If this fails, a job that was repaired and completed is still reported as failed."""
    taken = {"Bucket": stack.outputs["OutputBucket"], "Key": "mended.webm"}
    stack.s3.put_object(**taken, Body=b"precious")
    job = stack.ended(start(stack, "mended.film", clip))
    assert everything.one(job.name)["error"] == "OutputExists"
    stack.s3.delete_object(**taken)
    stack.client("stepfunctions").redrive_execution(executionArn=job.arn)
    assert stack.ended(job.arn).status == "SUCCEEDED"
    first, second = until(lambda: found if len(found := everything.of(job.name)) == 2 else None)
    assert (first["status"], second["status"]) == ("failed", "succeeded")
    assert first["id"] != second["id"]
    until(lambda: end(stack, job.name)["id"] == second["id"])


def test_a_look_at_the_jobs_finds_no_stalled_one(stack: Deployed) -> None:
    """If this fails, the check that looks for jobs without progress does not work."""
    answer = stack.client("lambda").invoke(FunctionName=stack.function("watch"))
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read())["stalled"] == 0
