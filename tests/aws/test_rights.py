"""Least privilege: the pipeline works with exactly the rights it is given, and needs each one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.aws.deployed import Deployed
from tests.emulator import Emulator
from tests.emulator.runs import an_emulator, until
from tests.pipeline.clips import Clip
from tests.support.assembly import STACK

pytestmark = [pytest.mark.aws, pytest.mark.slow]

# What AWS asks for, and the emulator does not: the services that would use these rights are not
# there, or act without the role. tests/live runs the pipeline against AWS itself.
UNNOTICED = {
    # There is no X-Ray, and Lambda's and Step Functions' logs are written by themselves.
    "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords",
    "xray:PutTraceSegments", "xray:GetSamplingRules", "xray:GetSamplingTargets",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
    "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    # An event that could not be handled goes to its queue without a signed request.
    "sqs:SendMessage",
    # Large manifests of a map's results go in parts, and its children are asked after.
    "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload",
    "states:DescribeExecution", "states:StopExecution", "states:RedriveExecution",
}  # fmt: skip
# The results of a map are read by nobody here; AWS documents the right for its ResultWriter.
UNNOTICED_ON_RESULTS = {"s3:GetObject"}

# What each of the scenarios below is to show.
AS_IT_SHOULD_BE = {
    "encodes": ["SUCCEEDED", "SUCCEEDED"],
    "fails": ["OutputExists", "True", "SUCCEEDED", "False"],
    "starts": ["SUCCEEDED"],
}

ROLES = ("plan", "encode", "rebase", "audio", "stitch", "failure", "start", "machine")


@dataclass(frozen=True)
class Right:
    """One action on one resource, in one of a role's policies."""

    role: str
    policy: str
    statement: int
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"

    @property
    def is_unnoticed(self) -> bool:
        """Whether the emulator does not ask for it."""
        return self.action in UNNOTICED or (
            self.action in UNNOTICED_ON_RESULTS and self.resource.endswith("/map/*")
        )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces roles, bucket policies and signatures, over TLS."""
    with an_emulator(tmp_path_factory.mktemp("guarded"), authenticate=True) as running:
        yield running


@pytest.fixture(scope="module")
def stack(guarded: Emulator, assembly: Path) -> Deployed:
    """The stack, deployed there."""
    return Deployed(STACK, guarded.client, guarded.deploy(assembly, STACK))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shortest film that needs every step: two chunks, and sound."""
    clip = Clip(frames=7, width=32, height=32, sound="aac")
    return clip.write(tmp_path_factory.mktemp("film") / "film.mp4")


def policies(stack: Deployed, role: str) -> dict[str, Any]:
    """The documents of a role's policies, by name."""
    iam = stack.client("iam")
    return {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }


def rights(stack: Deployed, role: str) -> Iterator[Right]:
    """Every right of a role."""
    for name, document in policies(stack, role).items():
        for number, statement in enumerate(document["Statement"]):
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    yield Right(role, name, number, action, resource)


def listed(value: Any) -> list[str]:
    """One or several of a policy's values, as a list."""
    return [value] if isinstance(value, str) else list(value)


@contextmanager
def without(stack: Deployed, right: Right) -> Iterator[None]:
    """The stack with one right less; other actions and resources of its statement stay."""
    before = policies(stack, right.role)[right.policy]
    after = copy.deepcopy(before)
    statement = after["Statement"].pop(right.statement)
    actions, resources = listed(statement["Action"]), listed(statement["Resource"])
    for some_actions, some_resources in (
        ([a for a in actions if a != right.action], resources),
        ([right.action], [r for r in resources if r != right.resource]),
    ):
        if some_actions and some_resources:
            changed = {"Action": some_actions, "Resource": some_resources}
            after["Statement"].append({**statement, **changed})
    if not after["Statement"]:
        # A policy must say something.
        after["Statement"] = [{"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]
    write(stack, right, after)
    try:
        yield
    finally:
        write(stack, right, before)


def write(stack: Deployed, right: Right, document: Any) -> None:
    """Replace a policy."""
    stack.client("iam").put_role_policy(
        RoleName=right.role, PolicyName=right.policy, PolicyDocument=json.dumps(document)
    )


class Scenarios:
    """What is seen of the stack; each call works on keys of its own."""

    def __init__(self, stack: Deployed, film: Path) -> None:
        self._stack = stack
        self._film = film
        self._number = 0

    def _key(self) -> str:
        self._number += 1
        return f"{self._number}.mp4"

    def encodes(self) -> list[str]:
        """A film, and then its next version, which finds the first one's result there."""
        key = self._key()
        seen = []
        for _ in range(2):
            seen.append(self._stack.job(self._stack.upload(key, self._film)).status)
            if seen[-1] != "SUCCEEDED":
                break
        return seen

    def fails(self) -> list[str]:
        """A film that fails, is mended and goes on, and leaves no record of the failure."""
        key = self._key()
        stack, output = self._stack, key.replace(".mp4", ".webm")
        taken = {"Bucket": stack.outputs["OutputBucket"], "Key": output}
        stack.s3.put_object(**taken, Body=b"precious")
        job = stack.job(stack.upload(key, self._film))
        record = f"jobs/{job.name}/failure.json"
        seen = [job.error, str(record in stack.keys("WorkBucket", record))]
        stack.s3.delete_object(**taken)
        stack.client("stepfunctions").redrive_execution(executionArn=job.arn)
        again = stack.ended(job.arn)
        return [*seen, again.status, str(record in stack.keys("WorkBucket", record))]

    def starts(self) -> list[str]:
        """A film that starts a job; if it does not, the event is kept."""
        upload = self._stack.upload(self._key(), self._film)

        def seen() -> list[str]:
            started = self._stack.executions(upload)
            return [self._stack.ended(arn).status for arn in started] or kept(self._stack)

        found: list[str] = until(seen)
        return found


def kept(stack: Deployed) -> list[str]:
    """What the queue of events that could not be handled says of one, which it then forgets."""
    queue, sqs = stack.queue(), stack.client("sqs")
    for message in sqs.receive_message(QueueUrl=queue).get("Messages", ()):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["requestContext"]["condition"]]
    return []


@pytest.fixture(scope="module")
def scenarios(stack: Deployed, film: Path) -> Scenarios:
    return Scenarios(stack, film)


def test_the_granted_rights_are_enough(stack: Deployed, scenarios: Scenarios) -> None:
    """If this fails, a step is denied something it needs: the stack works for administrators."""
    for name, expected in AS_IT_SHOULD_BE.items():
        assert getattr(scenarios, name)() == expected
    assert stack.keys("OutputBucket")


@pytest.mark.parametrize("role", ROLES)
def test_every_right_is_needed(stack: Deployed, scenarios: Scenarios, role: str) -> None:
    """If this fails, a role may do more than its step needs, or a right is not enforced here."""
    usual = {"failure": scenarios.fails, "start": scenarios.starts}.get(role, scenarios.encodes)
    failing = stack.function("failure")
    not_needed = []
    for right in rights(stack, role_name(stack, role)):
        if right.is_unnoticed:
            continue
        scenario = scenarios.fails if right.resource.endswith(failing) else usual
        with without(stack, right):
            if scenario() == AS_IT_SHOULD_BE[scenario.__name__]:
                not_needed.append(str(right))
    assert not not_needed
    assert usual() == AS_IT_SHOULD_BE[usual.__name__]


def role_name(stack: Deployed, role: str) -> str:
    """The name of the role of a step, or of the state machine."""
    prefix = "JobStateMachineRole" if role == "machine" else f"Workers{role.capitalize()}Role"
    (name,) = {
        physical
        for logical, physical in stack.resources.items()
        if logical.startswith(prefix) and "Policy" not in logical
    }
    return name


def test_strangers_are_refused(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, the buckets are open to who has no rights in the account."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import ClientError

    stranger = boto3.client(
        "s3",
        endpoint_url=guarded.endpoint,
        region_name=guarded.environment["AWS_REGION"],
        verify=guarded.environment["AWS_CA_BUNDLE"],
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
    )
    for output in ("InputBucket", "WorkBucket", "OutputBucket"):
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|403"):
            stranger.list_objects_v2(Bucket=stack.outputs[output])
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|403"):
            stranger.put_object(Bucket=stack.outputs[output], Key="x.mp4", Body=b"")
