"""Versions and aliases of functions, and CodeDeploy's shift to new ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stacks.canary import SHIFTED
from tests.support.assembly import built, resources

Template = dict[str, Any]

VERSION, ALIAS = "AWS::Lambda::Version", "AWS::Lambda::Alias"


@pytest.fixture(scope="module")
def gradual(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A stack whose new versions take over step by step."""
    return built(
        tmp_path_factory.mktemp("gradual"), canary="Linear10PercentEvery1Minute",
        webhook_url="https://example.com/jobs",
    )  # fmt: skip


def function_of(template: Template, name: str) -> str:
    """The logical id of the function of a version or an alias."""
    found: str = template["Resources"][name]["Properties"]["FunctionName"]["Ref"]
    return found


def references(value: Any) -> Iterator[str]:
    """The logical ids in a part of a template."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            yield name
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                yield from references(inner)


def test_jobs_name_versions_which_outlive_the_next_deployment(stack: Template) -> None:
    """If this fails, an upgrade changes or removes the code of jobs that run."""
    (machine,) = (
        one["Properties"]
        for name, one in resources(stack, "AWS::StepFunctions::StateMachine").items()
        if name.startswith("Job")
    )
    called = {
        name: value["Ref"]
        for name, value in machine["DefinitionSubstitutions"].items()
        if name not in ("Partition", "WorkBucket", "InvokeFunction")
    }
    assert {"index", "encode", "stitch", "failure"} <= set(called)
    for step, version in called.items():
        one = stack["Resources"][version]
        assert one["Type"] == VERSION, step
        assert step.rstrip("0123456789") in function_of(stack, version).lower()
        # A version that a failed deployment made must go: the next attempt makes the same.
        assert one["DeletionPolicy"] == "RetainExceptOnCreate"
        assert one["UpdateReplacePolicy"] == "Retain"


def test_state_machines_may_call_older_versions(stack: Template) -> None:
    """If this fails, jobs that run during an upgrade are forbidden to call their functions."""
    for name, policy in resources(stack, "AWS::IAM::Policy").items():
        if "StateMachineRole" not in name:
            continue
        (invoked,) = (
            statement["Resource"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Action"] == "lambda:InvokeFunction"
        )
        for resource in invoked:
            assert resource["Fn::Join"][1][1] == ":*"


def test_events_and_the_api_call_what_is_live(stack: Template) -> None:
    """If this fails, an alias does not decide which code answers requests and events."""
    live = resources(stack, ALIAS)
    assert {one["Properties"]["Name"] for one in live.values()} == {"live"}
    for name, alias in live.items():
        version = alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        assert function_of(stack, version) == function_of(stack, name)
    rules = resources(stack, "AWS::Events::Rule").values()
    called = [target["Arn"] for rule in rules for target in rule["Properties"]["Targets"]]
    for method in resources(stack, "AWS::ApiGateway::Method").values():
        integration = method["Properties"]["Integration"]
        called += [integration["Uri"]] if "Uri" in integration else []
    for permission in resources(stack, "AWS::Lambda::Permission").values():
        called.append(permission["Properties"]["FunctionName"])
    assert len(called) > 10
    for one in called:
        assert set(references(one)) - {"AWS::Partition", "AWS::Region"} <= set(live), one
    for config in resources(stack, "AWS::Lambda::EventInvokeConfig").values():
        assert config["Properties"]["Qualifier"] == "live"
        assert set(config["DependsOn"]) & set(live)


def test_executors_name_the_versions_that_they_were_told_of(stack: Template) -> None:
    """If this fails, a deployment changes the workers of an executor that runs."""
    joined = json.dumps(stack["Outputs"]["Mu"]["Value"])
    workers = [name for name in resources(stack, VERSION) if "Worker" in function_of(stack, name)]
    named = [name for name in workers if f'["{name}", "Version"]' in joined]
    executors = [name for name in resources(stack, VERSION) if name.startswith("WorkersExecutors")]
    assert sorted(named) == sorted(executors)
    assert len(executors) == 8


def test_only_a_function_that_changes_gets_a_new_version(stack: Template, tmp_path: Path) -> None:
    """If this fails, changed code is not deployed, or CloudFormation fails for want of a change."""
    changed = built(tmp_path, scratch_mb=1024)

    def versions(template: Template) -> dict[str, str]:
        return {function_of(template, name): name for name in resources(template, VERSION)}

    before, after = versions(stack), versions(changed)
    assert [name for name in before if before[name] != after[name]] == [
        name for name in before if "Index" in name
    ]


def test_codedeploy_moves_aliases_only_when_asked_to(stack: Template, gradual: Template) -> None:
    """If this fails, deployments take minutes unasked, or new versions get all calls at once."""
    assert not resources(stack, "AWS::CodeDeploy::DeploymentGroup")
    moved = {
        name: alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]
        for name, alias in resources(gradual, ALIAS).items()
        if "UpdatePolicy" in alias
    }
    groups = resources(gradual, "AWS::CodeDeploy::DeploymentGroup")
    assert sorted(moved.values()) == sorted(groups)
    assert len(groups) == len(SHIFTED)
    for alias, group in moved.items():
        made = groups[group]["Properties"]
        assert made["DeploymentConfigName"] == "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"
        assert "DEPLOYMENT_STOP_ON_ALARM" in made["AutoRollbackConfiguration"]["Events"]
        alarms = [one["Name"]["Ref"] for one in made["AlarmConfiguration"]["Alarms"]]
        watched = [gradual["Resources"][alarm]["Properties"] for alarm in alarms]
        assert function_of(gradual, alias) in set(references(watched))
        assert (len(alarms) == 2) == ("Api" in alias)


def test_no_resource_waits_for_itself(gradual: Template) -> None:
    """If this fails, CloudFormation refuses the stack with CodeDeploy as circular."""
    needs = {
        name: {
            *references([one.get("Properties"), one.get("UpdatePolicy")]),
            *one.get("DependsOn", ()),
        }
        & set(gradual["Resources"])
        for name, one in gradual["Resources"].items()
    }
    done: set[str] = set()
    while ready := {name for name, others in needs.items() if others <= done} - done:
        done |= ready
    assert sorted(set(needs) - done) == []
