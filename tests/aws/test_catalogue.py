"""What is known of jobs for ever, and jobs that are refused because of their price."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.runs import until
from excamera.cli.main import excamera
from tests.pipeline.clips import Clip

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small film of two chunks."""
    return Clip(frames=14, width=64, height=48).write(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(autouse=True)
def reachable(emulator: Emulator, stack: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process's commands find the emulator."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)


def command(*arguments: str) -> Any:
    """Runs a command of `excamera`; returns the JSON that it prints."""
    done = CliRunner().invoke(excamera, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@contextmanager
def setting(stack: Deployed, values: dict[str, str], *steps: str) -> Iterator[None]:
    """Gives functions other settings, as a deployment would."""
    with ExitStack() as changes:
        for step in steps:
            found = stack.configuration(step)["Environment"]["Variables"]
            assert values.keys() & found.keys()
            variables = {**found, **values}
            changes.enter_context(stack.changed(step, Environment={"Variables": variables}))
        yield


def test_the_catalogue_remembers_what_step_functions_forgets(stack: Deployed, film: Path) -> None:
    """If this fails, nobody knows after 90 days what was encoded, how, and for how much."""
    metadata = {"excamera-crf": "30", "excamera-tag": "kept"}
    job = stack.job(stack.upload("catalogue/film.mp4", film, metadata))
    assert job.status == "SUCCEEDED", job
    key = f"catalogue/jobs/{job.name}.json"
    until(lambda: stack.keys("WorkBucket", key))
    today = stack.read_work(key)["started"][:10]
    until(lambda: stack.keys("WorkBucket", f"catalogue/days/{today}/{job.name}"))
    assert job.name in [one["id"] for one in command("jobs", "--day", today, "--limit", "1000")]
    assert command("jobs", "--day", "2020-02-02") == []

    # The same record under a name that Step Functions does not know.
    record = {**stack.read_work(key), "job": "long-ago", "started": "2020-02-02T10:00:00Z"}
    work = stack.outputs["WorkBucket"]
    for where, body in (
        ("catalogue/jobs/long-ago.json", json.dumps(record).encode()),
        ("catalogue/days/2020-02-02/long-ago", b""),
    ):
        stack.s3.put_object(Bucket=work, Key=where, Body=body)
    (listed,) = command("jobs", "--day", "2020-02-02")
    assert (listed["id"], listed["state"]) == ("long-ago", "succeeded")
    now, then = command("status", job.name), command("status", "long-ago")
    for name in ("state", "source", "output", "tag", "frames", "priority", "predicted"):
        assert then[name] == now[name], name
    assert then["predicted"]["bytes"] > 0
    assert then["actual"]["bytes"] == now["actual"]["bytes"]
    assert then["options"]["crf"] == 24
    assert then["cost"]["so_far_usd"] == pytest.approx(now["cost"]["so_far_usd"], rel=0.1)
    assert then["result"]["frames"] == 14
    assert then["result"]["url"] is None  # another job's result lies there
    shown = CliRunner().invoke(excamera, ["status", "long-ago"])
    assert shown.exit_code == 0, shown.output


def test_a_failed_job_is_remembered_with_its_reason(stack: Deployed) -> None:
    """If this fails, the catalogue knows only of successes."""
    job = stack.job(stack.upload("catalogue/text.mp4", b"This is no film."))
    until(lambda: stack.keys("WorkBucket", f"catalogue/jobs/{job.name}.json"))
    record = stack.read_work(f"catalogue/jobs/{job.name}.json")
    assert (record["status"], record["error"]) == ("failed", "NotAVideo")


def test_a_job_that_would_cost_too_much_does_not_start(stack: Deployed, film: Path) -> None:
    """If this fails, the owner of a stack cannot limit what a job costs."""
    with setting(stack, {"MAX_USD_PER_JOB": "0.000001"}, "index"):
        job = stack.job(stack.upload("costly.mp4", film))
    assert job.error == "JobTooExpensive"
    assert "max_usd_per_job" in job.message
    assert not stack.timeline(job, "encode")


def test_a_month_that_is_spent_stops_new_jobs(stack: Deployed, film: Path) -> None:
    """If this fails, the owner of a stack cannot limit what a month costs."""
    month = f"spending/{datetime.now(UTC):%Y-%m}.json"
    with setting(stack, {"MAX_USD_PER_MONTH": "0.01"}, "index", "ended"):
        job = stack.job(stack.upload("affordable.mp4", film))
        assert job.status == "SUCCEEDED", job
        until(lambda: stack.read_work(month)["expected_usd"] == {})
        spent = stack.read_work(month)["spent_usd"]
        assert 0 < spent < 0.01
        body = json.dumps({"spent_usd": 0.01, "expected_usd": {}}).encode()
        stack.s3.put_object(Bucket=stack.outputs["WorkBucket"], Key=month, Body=body)
        refused = stack.job(stack.upload("too late.mp4", film))
    assert refused.error == "MonthTooExpensive"
    assert "max_usd_per_month" in refused.message
    assert not stack.timeline(refused, "encode")
