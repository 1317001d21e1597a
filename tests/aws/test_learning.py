"""The stack learns from its jobs, and tells what it predicted beside what came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator import Emulator
from emulator.excamera.deployed import Deployed, Job
from emulator.runs import quiet, until
from excamera.cli.main import excamera
from excamera.cloud.account import Account
from excamera.cloud.api import Api
from excamera.price.learned import Model
from excamera.price.pace import Pace
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow]

OPTIONS = {"excamera-batch-chunks": "2", "excamera-chunk-frames": "6", "excamera-crf": "40"}
QUANTITIES = {"seconds", "usd", "bytes"}


@pytest.fixture(scope="module")
def api(emulator: Emulator, stack: Deployed) -> Iterator[Api]:
    """The stack's API; commands in this process find the stack, too."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        account = Account()
        yield Api.of_stack(account, account.stack(stack.name))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough to tell something."""
    clip = Clip(frames=26, width=1280, height=720, sound="aac")
    return clip.write(tmp_path_factory.mktemp("film") / "film.mp4")


def key_of(stack: Deployed) -> str:
    """Returns the key of the stack's model."""
    architecture = stack.configuration("ended")["Environment"]["Variables"]["ARCHITECTURE"]
    return f"model/{architecture}.json"


def run(stack: Deployed, film: Path, key: str) -> Job:
    """Runs a job; returns when its end is told, which is after it was learned from."""
    job = stack.job(stack.upload(key, film, OPTIONS))
    assert job.status == "SUCCEEDED", job
    end = f"jobs/{job.name}/end.json"
    until(lambda: stack.keys("WorkBucket", end))
    return job


def command(*arguments: str) -> str:
    """Returns what a command prints."""
    done = CliRunner().invoke(excamera, [*arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.fixture(scope="module")
def jobs(emulator: Emulator, stack: Deployed, api: Api, film: Path) -> list[dict[str, Any]]:
    """Two jobs of the same film, the first of a stack that has learned nothing."""
    quiet(emulator)  # jobs of other tests are learned from after their ends
    api.delete("/model")
    names = [run(stack, film, f"learned/{number}.mp4").name for number in range(2)]
    return [api.get(f"/jobs/{name}") for name in names]


def test_predicted_stands_beside_actual(stack: Deployed, jobs: list[dict[str, Any]]) -> None:
    """If this fails, nobody sees how far predictions can be trusted."""
    for job in jobs:
        predicted, actual = job["predicted"], job["actual"]
        assert set(predicted) == set(actual) == QUANTITIES
        assert min(*predicted.values(), *actual.values()) > 0
        assert actual["bytes"] == job["result"]["size"]
        assert actual["usd"] == job["cost"]["so_far_usd"]
        assert job["cost"]["estimated_usd"] == predicted["usd"]
        notice = stack.read_work(f"jobs/{job['id']}/end.json")
        assert notice["predicted"] == predicted
        assert notice["actual"]["bytes"] == actual["bytes"]
        assert notice["actual"]["usd"] == pytest.approx(actual["usd"], abs=1e-6)
        assert notice["actual"]["seconds"] == pytest.approx(actual["seconds"], abs=0.01)


def test_the_second_prediction_is_nearer(
    stack: Deployed, api: Api, jobs: list[dict[str, Any]]
) -> None:
    """If this fails, the stack does not learn, or the plan does not use what it has learned."""
    first, second = jobs
    # The same film has the same result, so this does not depend on how busy the machine is.
    assert first["actual"]["bytes"] == second["actual"]["bytes"]
    model = Model.from_json(stack.read_work(key_of(stack)))
    assert [name for name, _ in model.last] == [first["id"], second["id"]]
    before, after = (errors["bytes"] for _, errors in model.last)
    assert abs(after - 1) < abs(before - 1)
    assert before == pytest.approx(first["predicted"]["bytes"] / first["actual"]["bytes"], rel=0.01)
    # How long calls took may differ, but the second prediction is nearer to the first job.
    far, near = (abs(job["predicted"]["usd"] - first["actual"]["usd"]) for job in jobs)
    assert near < far

    told = api.get("/model")
    assert told["jobs"] == 2
    assert {"anchors", "bits", "stitch", "waits"} <= set(told["parts"])
    assert told["parts"]["anchors"]["work"] > 1
    assert told["errors"].keys() == QUANTITIES
    assert told["pace"]["bits"] == pytest.approx(model.pace.bits)


@pytest.mark.usefixtures("jobs")
def test_commands_show_it(
    stack: Deployed, jobs: list[dict[str, Any]], film: Path, tmp_path: Path
) -> None:
    """If this fails, users of the command line do not see what was predicted, or use it."""
    job = jobs[1]
    status = command("status", job["id"])
    size = f"{job['actual']['bytes']:,} bytes"
    [predicted] = [line for line in status.splitlines() if line.startswith("predicted")]
    [actual] = [line for line in status.splitlines() if line.startswith("actual")]
    assert f"{job['predicted']['bytes']:,} bytes" in predicted
    percent = 100 * (job["actual"]["bytes"] / job["predicted"]["bytes"] - 1)
    assert f"{size} ({percent:+.0f}%)" in actual
    page = tmp_path / "page.html"
    command("timeline", job["id"], "-o", str(page))
    assert f"{size} ({percent:+.0f}%)" in page.read_text()

    shown = command("model")
    assert "learned from  2 jobs" in shown
    assert "anchors" in shown
    told = json.loads(command("model", "--json"))
    usual = json.loads(command("estimate", str(film), "--json"))
    ours = json.loads(command("estimate", str(film), "--json", "--stack", stack.name))
    assert usual["pace"] == {name: getattr(Pace(), name) for name in usual["pace"]}
    assert ours["pace"] == told["pace"] != usual["pace"]
    assert ours["pace_by"].startswith(f"2 jobs of {stack.name}; off by")
    assert ours["size"] != usual["size"]


def test_what_cannot_be_read_fails_no_job(
    stack: Deployed, emulator: Emulator, api: Api, film: Path
) -> None:
    """If this fails, one broken object stops all jobs, or an older version destroys the record."""
    newer = json.dumps({"version": 99, "wisdom": []}).encode()
    stack.s3.put_object(Bucket=stack.outputs["WorkBucket"], Key=key_of(stack), Body=newer)
    job = api.get(f"/jobs/{run(stack, film, 'learned/broken.mp4').name}")
    assert job["predicted"]["bytes"] > job["actual"]["bytes"] / 100
    assert stack.read_work(key_of(stack)) == {"version": 99, "wisdom": []}
    for function, words in (("plan", "the model is ignored"), ("ended", "nothing is learned")):
        assert words in emulator.logs(stack.function(function))
    assert "version 99" in api.get("/model")["problem"]
    assert json.loads(command("model", "--reset", "--json"))["problem"] is None
    assert not stack.keys("WorkBucket", "model/")
    assert api.get("/model")["jobs"] == 0
