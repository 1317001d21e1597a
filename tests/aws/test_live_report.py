"""The report that users run against an account, on the emulated stack."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from emulator.excamera.synthesis import STACK
from tests.aws.executors import Cloud
from tests.live.report.__main__ import PROBES, report

pytestmark = [pytest.mark.aws, pytest.mark.slow]

ABSENT = {
    "functions": ["memory:", "cold starts:"],
    "latencies": ["from an asynchronous call to watch:"],
    "presence": ["metrics of the stack's own:", "traces:", "lines of the state machine's log:"],
    "children": ["start and end of 10 children:", "events of children:"],
}
"""What the emulator does not have, by the names that the report gives it."""


def run(*arguments: str) -> Result:
    """Runs the command."""
    return CliRunner().invoke(report, ["--stack", STACK, *arguments])


def made(cloud: Cloud) -> set[str]:
    """Returns what is there that the report might have left behind."""
    client, stack = cloud.emulator.client, cloud.stack
    machines = client("stepfunctions").list_state_machines()["stateMachines"]
    found = {one["name"] for one in machines}
    found |= {one["RoleName"] for one in client("iam").list_roles()["Roles"]}
    found |= {one["Name"] for one in client("events").list_rules()["Rules"]}
    found |= set(client("sqs").list_queues().get("QueueUrls", ()))
    for bucket in ("InputBucket", "OutputBucket"):
        found |= {f"{bucket}/{key}" for key in stack.keys(bucket)}
    kept = ("admission/", "catalogue/", "model/")
    return found | {f"work/{key}" for key in stack.keys("WorkBucket") if not key.startswith(kept)}


def test_every_probe_runs_and_nothing_stays(cloud: Cloud) -> None:
    """If this fails, who has an account gets no report, or is left with what it made."""
    before = made(cloud)
    done = run("--small", "--yes", "--json")
    print(done.stdout, done.stderr)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    told = json.loads(done.stdout)
    failed = {name: one["failed"] for name, one in told["probes"].items() if "failed" in one}
    assert not failed
    assert not told["left"]
    assert made(cloud) - before == set()
    assert set(told["probes"]) == {probe.name for probe in PROBES}
    facts = {name: one["facts"] for name, one in told["probes"].items()}
    missing = {name: " ".join(one["missing"]) for name, one in told["probes"].items()}
    for name, words in ABSENT.items():
        assert all(word in missing[name] for word in words), missing[name]
    assert {name for name, text in missing.items() if text} == set(ABSENT)
    assert {"index", "encode", "stitch"} <= set(facts["functions"])
    assert facts["costs"]["billed_usd"] > 0
    assert facts["conflicts"]["writes"] >= 15
    assert sum(one["environments"] for one in facts["start-rates"].values()) == 4
