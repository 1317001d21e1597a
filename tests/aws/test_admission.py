"""Many films in a small account: each waits for its turn, and all are encoded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.excamera.synthesis import STACK
from emulator.runs import until
from excamera.cli.main import excamera
from excamera.job.packing import capacity_of
from excamera.lifecycle.admission import EVENT_SOURCE, TURN, Turns, turns
from mu import open_store
from mu.store.s3 import client as s3_client
from tests.pipeline.clips import Clip
from tests.support.emulator import an_emulator

Locally = Callable[..., str]

pytestmark = pytest.mark.aws

CONCURRENCY = 10
FILMS = 14  # twice as many as there is room for
TURNS = "admission/turns.json"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An account that runs ten functions at a time; this process's clients reach it."""
    with (
        an_emulator(tmp_path_factory.mktemp("tiny"), account_concurrency=CONCURRENCY) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        s3_client.client.cache_clear()
        yield running
    s3_client.client.cache_clear()


@pytest.fixture(scope="module")
def small(account: Emulator, assembly: Path) -> Deployed:
    """The stack in that account."""
    return Deployed(STACK, account.client, account.deploy(assembly, STACK))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small film of two chunks."""
    return Clip(frames=14, width=64, height=48).write(tmp_path_factory.mktemp("film") / "film.mp4")


def now(stack: Deployed) -> Turns:
    """Returns the turns that jobs have now."""
    return turns(open_store(f"s3://{stack.outputs['WorkBucket']}"))


def command(*arguments: str) -> Any:
    """Runs a command of `excamera`; returns the JSON that it prints."""
    done = CliRunner().invoke(excamera, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def throttles(account: Emulator, stack: Deployed) -> dict[str, int]:
    """Returns how many calls of each function were refused."""
    metrics = account.client("cloudwatch")
    found = {}
    for logical, name in stack.resources.items():
        if "Function" not in logical or not logical.startswith("Workers"):
            continue
        asked = metrics.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Throttles",
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=datetime.now(UTC) - timedelta(hours=2),
            EndTime=datetime.now(UTC) + timedelta(hours=1),
            Period=3 * 3600,
            Statistics=["Sum"],
        )
        count = int(sum(point["Sum"] for point in asked["Datapoints"]))
        if count:
            found[logical.partition("Function")[0].removeprefix("Workers").lower()] = count
    return found


def occupied(stack: Deployed, workers: int) -> None:
    """Writes a turn that takes the account's workers, as if a film were being encoded."""
    body = {"other": {"workers": workers, "since": time.time()}} if workers else {}
    bucket = stack.outputs["WorkBucket"]
    stack.s3.put_object(Bucket=bucket, Key=TURNS, Body=json.dumps(body).encode())


def ask_for_turns(stack: Deployed) -> None:
    """Sends the event by which functions say that there is room."""
    entry = {"Source": EVENT_SOURCE, "DetailType": TURN, "Detail": json.dumps({"stack": STACK})}
    stack.client("events").put_events(Entries=[entry])


@pytest.mark.slow
def test_many_films_at_once(
    account: Emulator, small: Deployed, film: Path, locally: Locally
) -> None:
    """If this fails, films that are uploaded together fail for being many, or do not wait."""
    before = throttles(account, small)
    uploads = [small.upload(f"many/{number:02d}.mp4", film) for number in range(FILMS)]
    most, seen_queued = 0, 0
    waiting = dict(enumerate(uploads))

    def all_ended() -> bool:
        nonlocal most, seen_queued
        most = max(most, sum(turn.workers for turn in now(small).values()))
        seen_queued = max(seen_queued, len(small.keys("WorkBucket", "admission/queue/")))
        for number in [one for one, upload in waiting.items() if small.executions(upload)]:
            arn = small.executions(waiting[number])[0]
            status = small.client("stepfunctions").describe_execution(executionArn=arn)["status"]
            assert status in ("RUNNING", "SUCCEEDED"), small.ended(arn)
            if status == "SUCCEEDED":
                del waiting[number]
        return not waiting

    until(all_ended, 780)
    assert seen_queued > FILMS // 2
    assert 0 < most <= capacity_of(CONCURRENCY)
    results = {digest(small.output(f"many/{number:02d}.webm")) for number in range(FILMS)}
    assert results == {locally(film)}
    until(lambda: not now(small))
    assert not small.keys("WorkBucket", "admission/jobs/")
    queue = small.client("sqs").get_queue_attributes(
        QueueUrl=small.queue(), AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert queue["Attributes"]["ApproximateNumberOfMessages"] == "0"
    refused = {
        step: count - before.get(step, 0) for step, count in throttles(account, small).items()
    }
    print(f"throttles: {refused}")
    # Workers fit; at first all uploads call two small functions each, and those calls wait.
    assert sum(count for step, count in refused.items() if step in ("encode", "anchors")) <= FILMS


def test_waiting_jobs_are_seen_overtaken_and_cancelled(small: Deployed, film: Path) -> None:
    """If this fails, nobody sees a job that waits, priorities do nothing, or it cannot be ended."""
    occupied(small, capacity_of(CONCURRENCY))
    usual = small.upload("wait/usual.mp4", film)
    until(lambda: len(command("jobs", "--state", "queued")) == 1)
    urgent = small.upload("wait/urgent.mp4", film, {"excamera-priority": "7"})
    until(lambda: len(command("jobs", "--state", "queued")) == 2)
    bucket = small.outputs["InputBucket"]
    small.s3.put_object(Bucket=bucket, Key="wait/asked.film", Body=film.read_bytes())
    asked = command("submit", f"s3://{bucket}/wait/asked.film", "--priority", "-3")
    listed = command("jobs", "--state", "queued")
    names = [job["id"].rpartition("-")[0] for job in listed]
    assert names == ["urgent", "usual", "asked"]
    assert [job["place"] for job in listed] == [1, 2, 3]
    assert (asked["state"], asked["place"], asked["priority"]) == ("queued", 3, -3)
    again = command("submit", f"s3://{bucket}/wait/asked.film", "--priority", "-3")
    assert again["id"] == asked["id"]
    shown = CliRunner().invoke(excamera, ["jobs"]).stdout
    assert "queued (next)" in shown
    assert "queued (2 before it)" in shown
    assert not small.executions(usual)

    cancelled = listed[1]["id"]
    assert command("cancel", cancelled)["state"] == "stopped"
    assert len(command("jobs", "--state", "queued")) == 2
    small.client("lambda").invoke(
        FunctionName=small.function("start"), Payload=json.dumps(small.event(usual))
    )
    assert len(command("jobs", "--state", "queued")) == 2  # an event that comes late
    occupied(small, 0)
    ask_for_turns(small)
    assert small.job(urgent).status == "SUCCEEDED"
    until(lambda: command("status", asked["id"])["state"] == "succeeded")
    assert not small.executions(usual)


def test_a_priority_that_is_none_fails_its_job(small: Deployed, film: Path) -> None:
    """If this fails, a mistyped priority is ignored without a word."""
    job = small.job(small.upload("wrong.mp4", film, {"excamera-priority": "high"}))
    assert job.error == "OptionError"
    assert "excamera-priority must be -50 to 50, not 'high'" in job.message


def test_a_lost_end_does_not_stop_the_queue(small: Deployed, film: Path) -> None:
    """If this fails, one event that Step Functions does not send makes all later jobs wait."""
    body = {"gone": {"workers": capacity_of(CONCURRENCY), "since": time.time() - 600}}
    bucket = small.outputs["WorkBucket"]
    small.s3.put_object(Bucket=bucket, Key=TURNS, Body=json.dumps(body).encode())
    upload = small.upload("after a lost end.mp4", film)
    until(lambda: small.keys("WorkBucket", "admission/queue/"))
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    small.client("lambda").invoke(
        FunctionName=small.function("admit"), Payload=json.dumps(scheduled)
    )
    assert small.job(upload).status == "SUCCEEDED"


def test_an_event_that_comes_twice_is_one_job(small: Deployed, film: Path) -> None:
    """If this fails, a film is encoded twice, or a finished one takes a turn again."""
    upload = small.upload("twice.mp4", film)
    event = json.dumps(small.event(upload))
    for _ in range(2):
        small.client("lambda").invoke(FunctionName=small.function("start"), Payload=event)
    assert small.job(upload).status == "SUCCEEDED"
    small.client("lambda").invoke(FunctionName=small.function("start"), Payload=event)
    until(lambda: not small.keys("WorkBucket", "admission/jobs/"))
    until(lambda: not now(small))
    assert len(small.executions(upload)) == 1
