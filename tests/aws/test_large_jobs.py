"""Jobs with thousands of objects: cancelling them, and reading their timelines."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.runs import quiet, until
from excamera.cloud.account import Account
from excamera.cloud.api import Api, http
from mu import Attempt, TaskRecord
from tests.aws.test_cancel import start, stopped_at
from tests.aws.test_faults import strike

pytestmark = [pytest.mark.aws, pytest.mark.usefixtures("unscheduled")]

OBJECTS = 6000
"""More than are removed at a time."""

SWEPT_S = 300.0


@pytest.fixture
def api(emulator: Emulator, stack: Deployed, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The stack's API."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    account = Account()
    return Api.of_stack(account, account.stack(stack.name))


def put_all(stack: Deployed, keys: list[str]) -> None:
    """Stores an object under each key."""
    record = json.dumps(TaskRecord("encode", 0, {}, started=1.0, finished=2.0).to_json()).encode()

    def put(key: str) -> None:
        stack.s3.put_object(Bucket=stack.outputs["WorkBucket"], Key=key, Body=record)

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(put, keys))


@pytest.fixture
def large(api: Api, stack: Deployed, clip: Path) -> Iterator[str]:
    """A running job, which waits for a worker and has thousands of objects."""
    with stopped_at(stack, "index"):
        job = start(api, stack, clip)
        put_all(stack, [f"jobs/{job}/chunks/{number:06d}" for number in range(OBJECTS)])
        yield job


def left(stack: Deployed, job: str) -> int:
    """Returns the number of a job's objects, without records that others remove."""
    keys = stack.keys("WorkBucket", f"jobs/{job}/chunks/")
    return len(keys)


def watch(stack: Deployed) -> dict[str, int]:
    """Runs the periodic check once."""
    answer = stack.client("lambda").invoke(FunctionName=stack.function("watch"))
    told: dict[str, int] = json.loads(answer["Payload"].read())
    return told


def delete(stack: Deployed, job: str) -> tuple[int, dict[str, Any]]:
    """Cancels a job; returns the answer's status and body."""
    account = Account()
    url = f"{account.api_url(stack.outputs['ApiUrl'])}/jobs/{job}"
    answer = http().request("DELETE", url, headers=account.signed("DELETE", url, {}, b""))
    return answer.status, answer.json()


def test_a_cancelled_job_is_swept_after_the_answer(
    api: Api, stack: Deployed, emulator: Emulator, large: str
) -> None:
    """If this fails, a long film cannot be cancelled within an API's 29 s, or keeps objects."""
    before = emulator.requests()
    # No sweep can run, so the answer cannot come from one.
    with stopped_at(stack, "sweep"):
        assert delete(stack, large) == (202, {"id": large, "state": "stopped"})
        assert left(stack, large) == OBJECTS
        deleted = (emulator.requests() - before)["s3:DeleteObjects"]
        assert deleted == 0
    assert api.get(f"/jobs/{large}")["state"] == "stopped"
    assert api.delete(f"/jobs/{large}") == {"id": large, "state": "stopped"}
    until(lambda: left(stack, large) == 0, SWEPT_S)
    until(lambda: watch(stack)["unswept"] == 0, SWEPT_S)
    assert api.delete(f"/jobs/{large}") == {"id": large, "state": "stopped"}


def test_a_sweep_that_was_killed_is_begun_again(
    api: Api, stack: Deployed, emulator: Emulator, large: str
) -> None:
    """If this fails, a sweeper that crashes leaves a job's objects until they expire."""
    functions, sweep = stack.client("lambda"), stack.function("sweep")
    settings = functions.get_function_event_invoke_config(FunctionName=sweep, Qualifier="live")
    functions.put_function_event_invoke_config(
        FunctionName=sweep, Qualifier="live", MaximumRetryAttempts=0
    )
    try:
        api.delete(f"/jobs/{large}")
        strike(emulator, sweep, signal.SIGKILL)
        until(lambda: not emulator.workers(sweep))
        assert left(stack, large) > 0
        # It is Lambda's own retries that end, not ours.
        assert watch(stack)["unswept"] == 1
        until(lambda: left(stack, large) == 0, SWEPT_S)
    finally:
        functions.put_function_event_invoke_config(
            FunctionName=sweep,
            Qualifier="live",
            MaximumRetryAttempts=settings["MaximumRetryAttempts"],
            DestinationConfig=settings["DestinationConfig"],
        )


@pytest.mark.parametrize("limit", [10, 1000])
def test_a_page_of_a_timeline_costs_the_same_at_any_length(
    api: Api, stack: Deployed, emulator: Emulator, clip: Path, limit: int
) -> None:
    """If this fails, the timeline of a long film is listed anew for each of its pages."""
    with stopped_at(stack, "index"):
        job = start(api, stack, clip)
        folder = f"jobs/{job}/timeline"
        tasks = [f"encode-{number:06d}-000000" for number in range(2500)]
        costs = []
        for some in (tasks[:5], tasks[5:]):
            put_all(stack, [Attempt(task, 1, 10).key(folder) for task in some])
            before = quiet(emulator)  # functions that started this job and ended others are done
            page = api.get(f"/jobs/{job}/timeline", limit=limit)
            made = emulator.requests() - before
            costs.append(made["s3:ListObjectsV2"])
            # A page of a thousand needs a second list for the one key after them.
            assert costs[-1] <= 2
            # Besides, it looks for the job among those that wait for an upload or their turn.
            assert made["s3:GetObject"] <= len(page["attempts"]) + 2
        if limit < 1000:
            assert costs == [1, 1]
        seen = page["attempts"]
        while limit == 1000 and page["next"]:
            before = quiet(emulator)
            page = api.get(f"/jobs/{job}/timeline", limit=limit, next=page["next"])
            assert (emulator.requests() - before)["s3:ListObjectsV2"] <= 2
            seen += page["attempts"]
        assert [one["task"] for one in seen] == tasks[: len(seen)]
        assert len(seen) == (2500 if limit == 1000 else limit)
        api.delete(f"/jobs/{job}")
