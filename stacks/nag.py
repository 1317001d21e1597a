"""Accepts findings of cdk-nag, each for one resource and with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def accept(resource: IConstruct, rule: str, reason: str) -> None:
    """Accept a finding.

    Args:
        resource: the only resource for which it is accepted.
        rule: its id, such as ``AwsSolutions-S1`` or ``AwsSolutions-IAM5[Resource::*]``.
        reason: why the finding is acceptable here.
    """
    Validations.of(resource).acknowledge(Acknowledgment(id=rule, reason=reason))


def accept_wildcards(policy: IConstruct, resources: Iterable[str], reason: str) -> None:
    """Accept the resources of a statement that contain a wildcard.

    Args:
        policy: the policy with the statement.
        resources: ARNs, which may hold values that only deployment knows.
        reason: why no narrower resource suffices.
    """
    for resource in resources:
        if "*" in resource:
            assert reason, f"{resource} is granted without a reason"
            shown = _as_cdk_nag_shows(Stack.of(policy).resolve(resource))
            accept(policy, f"AwsSolutions-IAM5[Resource::{shown}]", reason)


def _as_cdk_nag_shows(value: Any) -> str:
    match value:
        case str():
            return value.replace("${", "<").replace("}", ">")
        case {"Fn::Join": ["", parts]}:
            return "".join(_as_cdk_nag_shows(part) for part in parts)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
    raise ValueError(f"cannot tell how cdk-nag names {value!r}")
