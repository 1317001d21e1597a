"""Calls and flows of executors on the deployed stack, with all roles enforced."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import mu
from emulator.excamera.synthesis import STACK
from excamera.cli.main import main
from excamera.cloud.account import Account
from excamera.cloud.api import Api, http
from excamera.console.of_stack import stack_console
from mu.engines.stack import deployment
from mu.timelines import STACK_PLACE
from tests.aws.executors import ON, TIMEOUT_S, Cloud, square
from tests.support.processes import wait_until

pytestmark = [pytest.mark.aws, pytest.mark.slow]


# ---- these run in the cloud; they travel by value ----


def quiet_square(x: int) -> int:
    """Squares, and says nothing."""
    return x * x


def plan(event: dict[str, Any]) -> dict[str, Any]:
    """Plans."""
    return {"batches": [{"n": n} for n in range(event["count"])]}


def encode(event: dict[str, Any], context: mu.Context) -> int:
    """Keeps something in the store of the job."""
    context.store.put(f"encoded/{event['n']}", b"x" * event["n"])
    return context.store.size(f"encoded/{event['n']}")


def stitch(event: list[int]) -> dict[str, Any]:
    """Adds up."""
    print("stitching")
    return {"sum": sum(event)}


# ---- results ----


def test_a_deployment_changes_nothing_for_an_executor_that_runs(cloud: Cloud) -> None:
    """If this fails, who deploys changes the workers under everybody's running programs."""
    functions = cloud.emulator.client("lambda")
    handlers = {
        name: functions.get_function_configuration(FunctionName=name)["Handler"]
        for name in cloud.names()
    }
    with mu.Executor(ON, retries=0, timeout=60) as ex:
        try:
            for name in handlers:
                functions.update_function_configuration(FunctionName=name, Handler="nothing.here")
            assert ex.submit(quiet_square, 7).result(TIMEOUT_S) == 49
        finally:
            for name, handler in handlers.items():
                functions.update_function_configuration(FunctionName=name, Handler=handler)


def test_calls_return_in_order_and_failures_say_why(executor: mu.Executor) -> None:
    """If this fails, functions do not run on a stack, or their failures cannot be understood."""
    assert executor.submit(square, 7).result(TIMEOUT_S) == 49
    outcomes = list(executor.map(square, range(10, 16), chunksize=2, return_exceptions=True))
    failed = outcomes.pop(3)
    assert outcomes == [100, 121, 144, 196, 225]
    assert isinstance(failed, mu.TaskFailed)
    assert (failed.error, failed.message, failed.attempts) == ("ValueError", "thirteen", 2)
    assert isinstance(failed.__cause__, ValueError)
    assert "squaring 13" in failed.log
    assert "in square\nValueError: thirteen" in failed.details
    assert failed.dollars > 0
    assert executor.cost() > failed.dollars


def test_many_calls_pass_no_limit_of_an_event(cloud: Cloud) -> None:
    """If this fails, a map of thousands ends with the 256 KiB that an event may have."""
    with mu.Executor(ON, workers=12) as ex:
        found = ex.map(quiet_square, range(100_000), chunksize=100, ordered=False)
        assert sum(found) == sum(x * x for x in range(100_000))
        job = ex.job
    # 1,000 calls on 12 workers: more shares than an inline map begins at once.
    shares = {key for key in cloud.objects(job) if key.startswith("records/")}
    assert len(shares) > 40
    assert {key.partition("/")[0] for key in cloud.objects(job)} == {"records"}


def test_several_calls_share_a_worker(cloud: Cloud) -> None:
    """If this fails, calls that each need a part of a worker are billed a whole one."""
    del cloud
    with mu.Executor(ON, per_worker=3) as ex:
        assert list(ex.map(square, range(6))) == [0, 1, 4, 9, 16, 25]
        environments = {one.worker.partition(" ")[0] for one in ex.records()}
        assert len(environments) == 2


def test_what_a_stack_lacks_is_named(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a wrong name or size ends in an error of the SDK, or in none."""
    del cloud
    with pytest.raises(mu.StackError, match="Nothing"):
        mu.Executor("stack:Nothing")
    with pytest.raises(mu.StackError, match="the largest have 3008"):
        mu.Executor(ON, memory=20_000)
    with pytest.raises(mu.StackError, match="no workers for sparc"):
        mu.Executor(ON, architecture="sparc")
    with pytest.raises(ValueError, match="stack:NAME"):
        mu.Executor("cloud")
    found = deployment.Deployment.find(STACK)
    hasty = replace(found, timeout_s=15)
    monkeypatch.setattr(deployment.Deployment, "find", lambda _: hasty)
    with pytest.raises(mu.StackError, match="end after 15 s"):
        mu.Executor(ON)
    other = replace(found, python="3.8")
    monkeypatch.setattr(deployment.Deployment, "find", lambda _: other)
    with mu.Executor(ON) as ex, pytest.raises(mu.StackError, match="bytecode"):
        ex.submit(square, 1)


def test_workers_are_warmed(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, `mu.warm` starts too few environments."""
    del cloud
    # A busy machine begins calls one after another, and a worker that is done takes the next.
    monkeypatch.setattr("mu.executor._HELD_S", 6.0)
    with mu.Executor(ON) as ex:
        ex.warm(3)
        assert len({one.worker.partition(" ")[0] for one in ex.records()}) == 3


# ---- flows ----


def test_a_flow_runs_on_the_stack(
    cloud: Cloud, executor: mu.Executor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, flows of a user's own functions run on one machine only, or in no page."""
    flow = mu.sequence(plan, mu.each("$.batches", encode, concurrency=3), stitch)
    with pytest.raises(ValueError, match="a name of letters"):
        executor.start(flow, {"count": 5}, timeline="a/b")
    run = executor.start(flow, {"count": 5}, timeline="films")
    assert run.result(TIMEOUT_S) == {"sum": 10}
    assert [one.name for one in run.records()] == ["plan", *["encode"] * 5, "stitch"]
    assert run.cost() > 0
    assert run.logs().endswith("--- stitch 0\nstitching\n")
    run.timeline(tmp_path / "t.html")
    assert '"names":["plan","encode","stitch"]' in (tmp_path / "t.html").read_text()

    # It is where the console and reports find it.
    account = Account()
    api = Api.of_stack(account, account.stack(STACK))
    name = f"{executor.job}-films"
    [job] = [one for one in api.get("/mu")["jobs"] if one["name"] == name]
    assert (job["state"], job["lost"]) == ("succeeded", 0)
    told = api.get(f"/mu/{name}")["records"]
    known = {(one.name, one.number): one for one in run.records()}
    assert {(one["name"], one["number"]) for one in told} == known.keys()
    for one in told:
        mine = known[one["name"], one["number"]]
        assert (one["worker"], one["memory_mb"]) == (mine.worker, mine.memory_mb)
        assert one["dollars"] == mine.dollars > 0
    assert "stitching" in "".join(one["log"] for one in told)
    assert main(["report", "--json", f"s3://{cloud.bucket}/{STACK_PLACE}/{name}"]) == 0
    [reported] = json.loads(capsys.readouterr().out)["runs"]
    assert reported["actual"]["usd"] == pytest.approx(run.cost())
    assert "stitching" in reported["log"]
    with stack_console(api, 0) as address:
        split = urlsplit(address)
        proof = {"Authorization": f"Bearer {split.fragment}"}
        answer = http().request("GET", f"http://{split.netloc}/mu/{name}", headers=proof)
        assert answer.json()["records"] == told


# ---- the command line ----


def test_the_command_line_follows_cancels_and_accounts(cloud: Cloud, tmp_path: Path) -> None:
    """If this fails, `mu map` on a stack, or what it says of its job, is not as documented."""
    (tmp_path / "script.py").write_text(
        "import time\ndef work(item):\n    print('working on', item)\n    time.sleep(item)\n"
        "    return item\n"
    )
    (tmp_path / "items.jsonl").write_text("0\n0.1\n")

    def mu_(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mu", *arguments], cwd=tmp_path, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    mapped = mu_("map", "script.py:work", "--items", "items.jsonl")
    out, told = mapped.communicate(timeout=TIMEOUT_S)
    assert out == "0\n0.1\n", told
    job = told.split()[1]
    assert told == f"job {job} on {STACK}\n"
    printed, _ = mu_("logs", job).communicate(timeout=TIMEOUT_S)
    assert "--- work 0, attempt 1\nworking on 0\n" in printed
    cost, _ = mu_("cost", job).communicate(timeout=TIMEOUT_S)
    assert cost.startswith("$0.0")
    assert "2 calls on" in cost
    _, error = mu_("cost", "nothing").communicate(timeout=TIMEOUT_S)
    assert error == f"mu: {STACK} knows no job 'nothing'\n"

    (tmp_path / "items.jsonl").write_text("600\n")
    running = mu_("map", "script.py:work", "--items", "items.jsonl")
    assert running.stderr is not None
    job = running.stderr.readline().split()[1]
    wait_until(lambda: cloud.begun(job), TIMEOUT_S)
    assert mu_("cancel", job).communicate(timeout=TIMEOUT_S)[0] == "cancelled\n"
    _, told = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, told) == (2, "mu: the job was cancelled\n")
