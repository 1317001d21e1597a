"""Rights of the deployed stack's roles: those that nothing needs, and the stack without one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emulator import Emulator
from emulator.excamera.deployed import Deployed

# Rights that AWS requires and the emulator does not: the services that would use them are missing,
# or act without the role. tests/live runs the pipeline against AWS itself.
UNNOTICED = {
    # There is no X-Ray, and the emulator writes the logs of Lambda and Step Functions itself.
    "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords",
    "xray:PutTraceSegments", "xray:GetSamplingRules", "xray:GetSamplingTargets",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
    "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    # An unhandled event reaches its queue without a signed request.
    "sqs:SendMessage",
    # Whoever may take a role may tag the session.
    "sts:TagSession",
    # Lambda reports the account's limits to any caller.
    "lambda:GetAccountSettings",
}  # fmt: skip
# Large manifests of a map's results are uploaded in parts, and its children are described.
UNNOTICED_OF_THE_MACHINE = {
    "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload",
    "states:DescribeExecution", "states:StopExecution", "states:RedriveExecution",
}  # fmt: skip
# Nobody reads a map's results here; AWS documents the right for its ResultWriter.
UNNOTICED_ON_RESULTS = {"s3:GetObject"}


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
        """Whether the emulator does not enforce it."""
        return (
            self.action in UNNOTICED
            or (self.action in UNNOTICED_OF_THE_MACHINE and "StateMachine" in self.role)
            or (self.action in UNNOTICED_ON_RESULTS and self.resource.endswith("/map/*"))
        )


EXECUTORS = "Executors"
"""Part of the names of the roles of mu's executors, which no job of ours uses."""


def unneeded(emulator: Emulator, stack: Deployed, *, of_executors: bool = False) -> list[str]:
    """Returns the rights of the roles of jobs, or of executors, that no request so far has needed.

    Beside them, the rights that one has needed although they are listed above as unnoticed.
    """
    needed = emulator.needed_rights()
    return [
        f"{right.role} may {right}"
        for role in stack.client("iam").list_roles()["Roles"]
        if (EXECUTORS in role["RoleName"]) == of_executors
        for right in rights(stack, role["RoleName"])
        if ((right.role, right.action, right.resource) in needed) == right.is_unnoticed
    ]


def policies(stack: Deployed, role: str) -> dict[str, Any]:
    """Returns the documents of a role's policies, by name."""
    iam = stack.client("iam")
    return {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }


def rights(stack: Deployed, role: str) -> Iterator[Right]:
    """Returns every right of a role."""
    for name, document in policies(stack, role).items():
        for number, statement in enumerate(document["Statement"]):
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    yield Right(role, name, number, action, resource)


def listed(value: Any) -> list[str]:
    """Returns one or several of a policy's values as a list."""
    return [value] if isinstance(value, str) else list(value)


@contextmanager
def without(stack: Deployed, right: Right) -> Iterator[None]:
    """Removes one right for a while; its statement keeps its other actions and resources."""
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
        # A policy needs a statement.
        after["Statement"] = [{"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]
    write(stack, right, after)
    try:
        yield
    finally:
        write(stack, right, before)


def write(stack: Deployed, right: Right, document: Any) -> None:
    """Replaces a policy."""
    stack.client("iam").put_role_policy(
        RoleName=right.role, PolicyName=right.policy, PolicyDocument=json.dumps(document)
    )


def role_name(stack: Deployed, role: str) -> str:
    """Returns the name of the role of a step, or of the state machine."""
    prefix = "JobStateMachineRole" if role == "machine" else f"Workers{role.capitalize()}Role"
    (name,) = {
        physical
        for logical, physical in stack.resources.items()
        if logical.startswith(prefix) and "Policy" not in logical
    }
    return name
