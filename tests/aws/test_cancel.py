"""Cancelling a job in each of its phases; two jobs at once."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.runs import PATIENCE_S, until
from excamera.cloud.account import Account
from excamera.cloud.api import Api
from excamera.job.options import EncodeOptions
from tests.aws.conftest import Locally
from tests.aws.spans import FRAMES, in_spans
from tests.pipeline.clips import Clip

pytestmark = pytest.mark.aws

STEPS = ("index", "survey", "plan", "anchors", "encode", "audio", "stitch")


@pytest.fixture
def api(emulator: Emulator, stack: Deployed, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The stack's API."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    account = Account()
    return Api.of_stack(account, account.stack(stack.name))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of two spans, with sound."""
    clip = Clip(frames=FRAMES, width=48, height=32, sound="aac")
    return clip.write(tmp_path_factory.mktemp("film") / "film.mp4")


@contextlib.contextmanager
def stopped_at(stack: Deployed, step: str) -> Iterator[None]:
    """Makes Lambda refuse every call of one function, so that jobs stop at that step."""
    functions, name = stack.client("lambda"), stack.function(step)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def start(api: Api, stack: Deployed, film: Path, **more: Any) -> str:
    """Starts the job of a film in the input bucket."""
    key = f"cancel/{uuid.uuid4()}"
    stack.upload(key, film)
    request = {"source": f"s3://{stack.outputs['InputBucket']}/{key}", **more}
    job, _ = api.post("/jobs", request, idempotency_key=key)
    return str(job["id"])


def ended(api: Api, job: str) -> dict[str, Any]:
    """Waits for a job to end and returns it."""

    def found() -> Any:
        answer = api.get(f"/jobs/{job}")
        return answer if answer["phase"] == "ended" else None

    answer: dict[str, Any] = until(found, PATIENCE_S)
    return answer


def has_come_to(step: str, job: dict[str, Any]) -> bool:
    """Returns whether everything before a step is done."""
    if step == "index":
        return bool(job["phase"] == "planning")
    if step in ("survey", "plan"):
        return bool(job["phase"] == "planning" and "index" in job["seconds"])
    if step == "anchors":
        return bool(job["phase"] == "anchoring")
    if step == "encode":
        return bool(job["phase"] == "encoding" and "anchors" in job["seconds"])
    return bool(job["phase"] == "stitching" and "audio" in job["seconds"])


@pytest.mark.parametrize("step", ["index", "survey", "plan", "anchors", "encode", "stitch"])
def test_cancel_leaves_nothing(
    api: Api, stack: Deployed, emulator: Emulator, film: Path, step: str
) -> None:
    """If this fails, a cancelled job continues, or its objects cost money until they expire."""
    with stopped_at(stack, step), in_spans(stack):
        job = start(api, stack, film)
        until(lambda: has_come_to(step, api.get(f"/jobs/{job}")))
        stored = stack.keys("WorkBucket", f"jobs/{job}/")
        assert (len(stored) > 2) == (step != "index"), stored
        assert api.delete(f"/jobs/{job}") == {"id": job, "state": "stopped"}
    until(lambda: not any(emulator.workers(stack.function(name)) for name in STEPS))
    # The records of its failure and end are removed by who writes them.
    until(
        lambda: all(
            key.endswith(("/failure.json", "/end.json"))
            for key in stack.keys("WorkBucket", f"jobs/{job}/")
        )
    )
    told = api.get(f"/jobs/{job}")
    assert (told["state"], told["result"]) == ("stopped", None)
    bucket, _, key = told["output"].removeprefix("s3://").partition("/")
    begun = stack.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    assert key not in [one["Key"] for one in begun]
    assert api.delete(f"/jobs/{job}")["state"] == "stopped"


def test_cancel_after_the_end_keeps_the_result(
    api: Api, stack: Deployed, clip: Path, locally: Locally
) -> None:
    """If this fails, removing a job's intermediates also removes the film."""
    job = start(api, stack, clip)
    done = ended(api, job)
    assert len(stack.keys("WorkBucket", f"jobs/{job}/")) > 10
    assert api.delete(f"/jobs/{job}") == {"id": job, "state": "succeeded"}
    until(lambda: not stack.keys("WorkBucket", f"jobs/{job}/"))
    told = api.get(f"/jobs/{job}")
    assert told["state"] == "succeeded"
    assert told["chunks"] is None
    assert digest(stack.output(done["result"]["key"])) == locally(clip)
    assert told["result"]["url"]


def test_two_jobs_at_once(
    api: Api, stack: Deployed, clip: Path, locally: Locally, tmp_path: Path
) -> None:
    """If this fails, jobs that run at the same time interfere with each other."""
    other = Clip(frames=30, width=48, height=80).write(tmp_path / "other.mp4")

    def run(film: Path, options: dict[str, Any]) -> str:
        done = ended(api, start(api, stack, film, options=options))
        assert done["state"] == "succeeded", done
        return digest(stack.output(done["result"]["key"]))

    options = {"crf": 35, "batch_chunks": 2}
    with ThreadPoolExecutor(2) as users:
        first, second = users.map(run, (clip, other), ({}, options))
    assert first == locally(clip)
    assert second == locally(other, EncodeOptions(crf=35, batch_chunks=2))
