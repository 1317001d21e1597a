"""The stack with a server for the messages of mu's gangs, and without one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.excamera.synthesis import STACK
from mu.messages.rights import RIGHTS
from mu.prices import CACHE_GB_HOUR_USD, CACHE_LEAST_GB, ECPU_USD, ENDPOINT_HOUR_USD, HOURS_A_MONTH
from stacks.message_server import MOST_ECPU_A_SECOND, MOST_GB, ZONES
from stacks.shares_machine import definition
from tests.infra.test_executors import workers
from tests.infra.test_state_machine import all_states
from tests.support.assembly import ROOT, built, resources, template

Template = dict[str, Any]

ABSENT = "Lambda.ResourceNotReadyException"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of a stack with a server, which cdk-nag has accepted."""
    folder = tmp_path_factory.mktemp("with-server")
    built(folder, mu_server="valkey")
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Template:
    """Its template."""
    return template(folder)


def the_only(document: Template, kind: str) -> dict[str, Any]:
    """Returns the properties of the only resource of a type."""
    (resource,) = resources(document, kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def actions(document: Template, part_of_role: str) -> Iterator[tuple[str, Any]]:
    """Returns what a role may do, each action with its resources."""
    for policy in resources(document, "AWS::IAM::Policy").values():
        if part_of_role in json.dumps(policy["Properties"]["Roles"]):
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                named = statement["Action"]
                for action in [named] if isinstance(named, str) else named:
                    yield action, statement["Resource"]


def test_without_the_setting_nothing_of_it_is_there(stack: Template) -> None:
    """If this fails, a stack that nobody uses costs something."""
    kinds = {one["Type"].rpartition("::")[0] for one in stack["Resources"].values()}
    assert not kinds & {"AWS::EC2", "AWS::ElastiCache"}
    assert not any("VpcConfig" in one for one in workers(stack))
    assert "elasticache" not in json.dumps(stack["Outputs"]["Mu"])
    rights = {action for action, _ in actions(stack, "Executors")}
    assert not [one for one in rights if one.startswith(("ec2:", "elasticache:"))]


def test_only_workers_are_in_the_network_and_nothing_leads_out(served: Template) -> None:
    """If this fails, functions of jobs lose AWS, or the network has a way to the internet."""
    inside = [
        one["Properties"]
        for one in resources(served, "AWS::Lambda::Function").values()
        if "VpcConfig" in one["Properties"]
    ]
    assert inside == workers(served)
    assert len(resources(served, "AWS::EC2::Subnet")) == ZONES
    for kind in ("InternetGateway", "NatGateway", "Route", "EgressOnlyInternetGateway"):
        assert not resources(served, f"AWS::EC2::{kind}"), kind
    endpoints = {
        json.dumps(one["Properties"]["ServiceName"]).rpartition(".")[2].rstrip('"]}'): (
            one["Properties"]["VpcEndpointType"],
            len(one["Properties"].get("SubnetIds", [])),
        )
        for one in resources(served, "AWS::EC2::VPCEndpoint").values()
    }
    assert endpoints == {"s3": ("Gateway", 0), "sts": ("Interface", ZONES)}


def test_the_server_takes_workers_alone(served: Template) -> None:
    """If this fails, others in the network reach the server, or workers do not."""
    cache = the_only(served, "AWS::ElastiCache::ServerlessCache")
    (group,) = [one["Fn::GetAtt"][0] for one in cache["SecurityGroupIds"]]
    (worker_group,) = workers(served)[0]["VpcConfig"]["SecurityGroupIds"]
    allowed = [
        one["Properties"]
        for one in resources(served, "AWS::EC2::SecurityGroupIngress").values()
        if one["Properties"]["GroupId"] == {"Fn::GetAtt": [group, "GroupId"]}
    ]
    assert [(one["FromPort"], one["ToPort"], one["SourceSecurityGroupId"]) for one in allowed] == [
        (6379, 6379, worker_group)
    ]
    assert "SecurityGroupIngress" not in served["Resources"][group]["Properties"]


def test_what_the_server_may_cost_is_limited(served: Template) -> None:
    """If this fails, a gang that sends without end is paid for without end."""
    cache = the_only(served, "AWS::ElastiCache::ServerlessCache")
    assert cache["CacheUsageLimits"] == {
        "DataStorage": {"Maximum": MOST_GB, "Unit": "GB"},
        "ECPUPerSecond": {"Maximum": MOST_ECPU_A_SECOND},
    }
    assert "SnapshotRetentionLimit" not in cache


def test_the_only_user_signs_in_by_iam_with_the_documented_rights(served: Template) -> None:
    """If this fails, there is a password to keep, or calls can do more in the server than talk."""
    user = the_only(served, "AWS::ElastiCache::User")
    assert user["AuthenticationMode"] == {"Type": "iam"}
    assert user["UserId"] == user["UserName"]
    assert user["AccessString"] == f"on {RIGHTS}".replace("resetkeys ", "")
    users = the_only(served, "AWS::ElastiCache::UserGroup")
    ((name, _),) = resources(served, "AWS::ElastiCache::User").items()
    assert users["UserIds"] == [{"Ref": name}]
    cache = the_only(served, "AWS::ElastiCache::ServerlessCache")
    ((group, _),) = resources(served, "AWS::ElastiCache::UserGroup").items()
    assert cache["UserGroupId"] == {"Ref": group}


def test_rights_grow_by_signing_in_and_by_being_in_a_network(
    stack: Template, served: Template
) -> None:
    """If this fails, the server brings rights that it does not need."""

    def grown(part_of_role: str) -> dict[str, Any]:
        before = [action for action, _ in actions(stack, part_of_role)]
        return {
            action: resource
            for action, resource in actions(served, part_of_role)
            if action not in before
        }

    assert grown("WorkersExecutorsRole") == dict.fromkeys(
        [
            "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
        "*",
    )  # fmt: skip
    ((action, arns),) = grown("WorkersExecutorsCalls").items()
    assert action == "elasticache:Connect"
    name = the_only(served, "AWS::ElastiCache::User")["UserId"]
    assert [one["Fn::Join"][1][-1] for one in arns] == [
        f":serverlesscache:{name}",
        f":user:{name}",
    ]
    assert "*" not in json.dumps(arns)


def test_the_output_tells_where_the_server_is(served: Template) -> None:
    """If this fails, executors do not find the server."""
    parts = served["Outputs"]["Mu"]["Value"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else part.get("Ref", "x") for part in parts)
    name = the_only(served, "AWS::ElastiCache::User")["UserId"]
    assert json.loads(text)["server"] == f"elasticache://{name}@x:x/{name}"


def test_workers_that_lost_their_network_are_called_again() -> None:
    """If this fails, the first gang after some weeks fails, since Lambda connects workers anew."""
    for networked in (False, True):
        runs = [
            state
            for name, state in all_states(definition(900, networked=networked)).items()
            if name.startswith("run ")
        ]
        assert len(runs) == 2
        for run in runs:
            again = [one for one in run["Retry"] if ABSENT in one["ErrorEquals"]]
            assert len(again) == networked
            # With full jitter, a pause is half of it on average: some minutes.
            assert all(one["MaxAttempts"] * one["MaxDelaySeconds"] / 2 >= 180 for one in again)


def test_cfn_lint_finds_nothing(folder: Path) -> None:
    """If this fails, CloudFormation may refuse the template."""
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [str(lint), "--", str(folder / f"{STACK}.template.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_idle_price_is_said() -> None:
    """If this fails, docs/deploy.md names another price than that of what is deployed."""
    least = CACHE_LEAST_GB * CACHE_GB_HOUR_USD * HOURS_A_MONTH
    endpoint = ZONES * ENDPOINT_HOUR_USD * HOURS_A_MONTH
    most = MOST_GB * CACHE_GB_HOUR_USD + MOST_ECPU_A_SECOND * 3600 * ECPU_USD
    page = " ".join((ROOT / "docs" / "deploy.md").read_text().split())
    for said in (
        f"{least:.2f} dollars a month for the server",
        f"{endpoint:.2f} for the endpoint",
        f"{least + endpoint:.2f} dollars a month",
        f"{most:.2f} dollars an hour",
    ):
        assert said in page, said
