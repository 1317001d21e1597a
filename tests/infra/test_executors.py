"""What the stack has for mu's executors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stacks.executors import ARCHITECTURES
from stacks.settings import SettingError, Settings
from stacks.shares_machine import definition
from tests.infra.test_state_machine import all_states
from tests.support.assembly import resources

Template = dict[str, Any]


def workers(stack: Template) -> list[dict[str, Any]]:
    """Returns the workers' functions."""
    return [
        function["Properties"]
        for function in resources(stack, "AWS::Lambda::Function").values()
        if function["Properties"]["Handler"].split(".")[1] == "worker"
    ]


def test_there_is_a_worker_of_every_size_architecture_and_name(stack: Template) -> None:
    """If this fails, executors cannot have what the settings say."""
    found = [(one["Architectures"][0], one["MemorySize"]) for one in workers(stack)]
    assert sorted(found) == sorted(
        (architecture, memory)
        for architecture in ARCHITECTURES
        for memory in (1769, 3008)
        for _ in range(2)
    )
    for one in workers(stack):
        assert (one["Timeout"], one["EphemeralStorage"]) == (900, {"Size": 512})
        assert "ReservedConcurrentExecutions" not in one, "a small account could not deploy"
        # Native code of the one architecture would not load in the other.
        assert len(one["Layers"]) == (3 if one["Architectures"] == ["arm64"] else 1)


def test_workers_share_a_role_that_is_not_that_of_calls(stack: Template) -> None:
    """If this fails, calls may do what only their workers should."""
    (role,) = {json.dumps(one["Role"]) for one in workers(stack)}
    (calls,) = {one["Environment"]["Variables"]["TASK_ROLE_ARN"]["Fn::GetAtt"][0]
                for one in workers(stack)}  # fmt: skip
    assert json.loads(role)["Fn::GetAtt"][0] != calls
    trust = stack["Resources"][calls]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert [one["Principal"]["AWS"] for one in trust] == [json.loads(role)]
    # Without the tag of its job, a session would have no rights of its own, but those on films.
    assert trust[0]["Condition"] == {"Null": {"aws:RequestTag/job": "false"}}


def test_the_output_says_what_an_executor_needs(stack: Template) -> None:
    """If this fails, `mu.Executor("stack:...")` does not find its workers."""
    parts = stack["Outputs"]["Mu"]["Value"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "x" for part in parts)
    told = json.loads(text)
    assert {name: sorted(sizes) for name, sizes in told["functions"].items()} == {
        architecture: ["1769", "3008"] for architecture in ARCHITECTURES
    }
    assert (told["python"], told["timeout_s"]) == ("3.14", 900)


def test_no_failure_of_a_worker_ends_the_others() -> None:
    """If this fails, one lost worker ends a map of thousands, or nobody learns why it was lost."""
    machine = definition(900)
    for name, state in all_states(machine).items():
        if state["Type"] == "Map":
            assert state["ResultSelector"] == {}, "thousands of results exceed an event"
        if name.startswith("run "):
            assert [one["ErrorEquals"] for one in state["Catch"]] == [["States.ALL"]]
            assert state["ResultSelector"] == {}
            assert state["TimeoutSeconds"] > 900, "the function's own error says more"
            busy = state["Retry"][0]
            assert busy["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
            # Waiting for room outlasts any queue, with short pauses.
            assert busy["MaxAttempts"] >= 1000
            assert busy["MaxDelaySeconds"] <= 6


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"mu_memory_mb": []}, "mu_memory_mb"),
        ({"mu_memory_mb": [1769, 1769]}, "mu_memory_mb"),
        ({"mu_memory_mb": [20_000]}, "mu_memory_mb"),
        ({"mu_names": 0}, "mu_names"),
        ({"mu_scratch_mb": 1}, "mu_scratch_mb"),
        ({"mu_server": "redis"}, "mu_server"),
        ({"mu_read_buckets": ["our-films"], "mu_write_buckets": ["our-films"]}, "twice"),
    ],
)
def test_settings_that_make_no_sense_are_named(setting: dict[str, Any], named: str) -> None:
    """If this fails, a wrong setting shows only in the middle of a deployment."""
    good: dict[str, Any] = {
        "architecture": "arm64", "python": "3.14", "memory_mb": {}, "scratch_mb": 512,
        "timeout_s": 900, "job_workers": 1, "batch_workers": 1, "job_timeout_s": 60,
        "suffixes": [".mp4"], "prefix": "",
    }  # fmt: skip
    Settings(**good)
    with pytest.raises(SettingError, match=named):
        Settings(**good, **setting)
