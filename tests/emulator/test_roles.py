"""The enforcement of roles that the tests of least privilege rely on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Emulator
from emulator.runs import output, run
from tests.emulator.example import STACK
from tests.support.emulator import an_emulator

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces roles; skips if none is installed."""
    with an_emulator(tmp_path_factory.mktemp("guarded"), authenticate=True) as running:
        yield running


@pytest.fixture(scope="module")
def deployed(guarded: Emulator, assembly: Path) -> dict[str, str]:
    """The outputs of the example stack, deployed there."""
    return guarded.deploy(assembly, STACK)


def test_function_role(guarded: Emulator, deployed: dict[str, str]) -> None:
    """Functions may do what their role does not allow, or may not do what it allows."""

    def read(bucket: str, key: str) -> Any:
        event = {"do": "read", "bucket": deployed[bucket], "key": key}
        return output(run(guarded, deployed["Optimized"], event))

    guarded.client("s3").put_object(Bucket=deployed["Watched"], Key="closed", Body=b"1")
    assert read("Watched", "closed") == "AccessDenied"
    # Only a caller who may list a bucket learns that a key is missing.
    assert read("Watched", "readable/missing") == "AccessDenied"
    assert read("Bucket", "missing") == "NoSuchKey"
    written = {"do": "record", "key": "written"}
    assert output(run(guarded, deployed["Optimized"], written)) == written


def test_state_machine_role(guarded: Emulator, deployed: dict[str, str]) -> None:
    """State machines may call what their role does not allow."""
    [refused] = output(run(guarded, deployed["Throttled"], {"items": [{}]}))
    assert refused["Error"] == "Lambda.AWSLambdaException"
    assert "not authorized to perform: lambda:InvokeFunction" in refused["Cause"]


def test_distributed_map_role(guarded: Emulator, deployed: dict[str, str]) -> None:
    """A distributed map runs although its machine may not start executions of itself."""
    key = "items/guarded.json"
    guarded.client("s3").put_object(Bucket=deployed["Bucket"], Key=key, Body=json.dumps([]))
    result = run(guarded, deployed["Distributed"], {"items": key, "run": 1})
    assert result["error"] == "States.Permissions"


def test_needed_rights(guarded: Emulator, deployed: dict[str, str]) -> None:
    """A right that no request needs, or that another one makes useless, counts as needed."""
    import boto3

    arn, iam = f"arn:aws:s3:::{deployed['Bucket']}", guarded.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]["Arn"]
    for name, actions, resource in (
        ("reads", ["s3:GetObject", "s3:PutObject"], f"{arn}/films/*"),
        ("reads more", ["s3:Get*"], f"{arn}/films/new/*"),
        ("lists", ["s3:ListBucket"], arn),
    ):
        allow = {"Effect": "Allow", "Action": actions, "Resource": resource}
        iam.put_role_policy(
            RoleName="reader", PolicyName=name, PolicyDocument=json.dumps({"Statement": [allow]})
        )
    assumed = guarded.client("sts").assume_role(RoleArn=role, RoleSessionName="test")
    reader = boto3.client(
        "s3",
        endpoint_url=guarded.endpoint,
        verify=guarded.environment["AWS_CA_BUNDLE"],
        region_name=guarded.environment["AWS_REGION"],
        aws_access_key_id=assumed["Credentials"]["AccessKeyId"],
        aws_secret_access_key=assumed["Credentials"]["SecretAccessKey"],
        aws_session_token=assumed["Credentials"]["SessionToken"],
    )

    def needed() -> set[tuple[str, str]]:
        return {
            (action, resource.removeprefix(arn))
            for name, action, resource in guarded.needed_rights()
            if name == "reader"
        }

    for key in ("films/a", "films/new/a", "other"):
        guarded.client("s3").put_object(Bucket=deployed["Bucket"], Key=key, Body=b"1")
    reader.get_object(Bucket=deployed["Bucket"], Key="films/new/a")  # two rights allow it
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.put_object(Bucket=deployed["Bucket"], Key="other", Body=b"2")
    assert needed() == set()
    reader.get_object(Bucket=deployed["Bucket"], Key="films/a")
    assert needed() == {("s3:GetObject", "/films/*")}
    with pytest.raises(ClientError, match="NoSuchKey"):
        reader.get_object(Bucket=deployed["Bucket"], Key="films/b")
    assert needed() == {("s3:GetObject", "/films/*"), ("s3:ListBucket", "")}


def test_unknown_key(guarded: Emulator, deployed: dict[str, str]) -> None:
    """Signatures are not checked."""
    import boto3

    stranger = boto3.client(
        "s3",
        endpoint_url=guarded.endpoint,
        verify=guarded.environment["AWS_CA_BUNDLE"],
        region_name=guarded.environment["AWS_REGION"],
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wrong",
    )
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_objects_v2(Bucket=deployed["Bucket"])
