"""The limits of AWS's services that settings can break, measured on the synthesised template.

CloudFormation finds them in the middle of a deployment, and names a resource. `check` finds them
at synthesis, and names the setting. What only deployment knows, such as the name of a bucket, is
taken as long as it can get.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.quotas import Quota, quota
from stacks.settings import SettingError, Settings

Template = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """How much of something a template has.

    Attributes:
        what: the resource, for users.
        amount: in the limit's unit.
        settings: names of those that make it grow.
    """

    what: str
    amount: int
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a service that a template shows.

    Attributes:
        quota: the limit.
        measure: finds what it is about in a template.
    """

    quota: Quota
    measure: Callable[[Template], Iterator[Measured]]

    @property
    def name(self) -> str:
        """What is limited."""
        return self.quota.name

    @property
    def most(self) -> int:
        """How much of it is allowed."""
        return self.quota.most

    @property
    def unit(self) -> str:
        """What is counted."""
        return self.quota.unit


def check(template: Template, settings: Settings) -> None:
    """Raise `SettingError` if the template breaks a limit.

    Of the settings that make something grow, the error names the longest.
    """
    for limit in LIMITS:
        for found in limit.measure(template):
            if found.amount > limit.most:
                blamed = max(found.settings, key=lambda name: _length(settings, name))
                raise SettingError(
                    f"{blamed}: {found.what} would have up to {found.amount:,} {limit.unit}, and "
                    f"AWS allows {limit.most:,} ({limit.name}, docs/account.md)"
                )


def _length(settings: Settings, name: str) -> int:
    return len(json.dumps(getattr(settings, name, "")))


def _of_type(template: Template, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def _event_patterns(template: Template) -> Iterator[Measured]:
    for name, rule in _of_type(template, "AWS::Events::Rule"):
        if "EventPattern" in rule:
            size = len(text_of(rule["EventPattern"], template))
            yield Measured(f"the event pattern of {name}", size, ("suffixes", "input_bucket"))


def _environments(template: Template) -> Iterator[Measured]:
    for _, function in _of_type(template, "AWS::Lambda::Function"):
        variables = function.get("Environment", {}).get("Variables", {})
        step = str(function.get("Handler")).removeprefix("functions.").partition(".")[0]
        yield Measured(
            f"the environment of the function {step}",
            len(text_of(variables, template).encode()),
            ("source_buckets", "suffixes", "cors_origins", "options", "prefix", "webhook_url",
             "memory_mb"),
        )  # fmt: skip


def _policies(template: Template) -> Iterator[Measured]:
    """The inline policies of a role, of which white space does not count."""
    sizes: Counter[str] = Counter()
    for _, policy in _of_type(template, "AWS::IAM::Policy"):
        for role in policy["Roles"]:
            sizes[role["Ref"]] += len(text_of(policy["PolicyDocument"], template))
    for role, size in sizes.items():
        yield Measured(f"the policies of the role {role}", size, _behind(role))


def _managed_policies(template: Template) -> Iterator[Measured]:
    """Managed policies of a role, into which the CDK puts what is too long for inline ones."""
    counts: Counter[str] = Counter()
    for _, policy in _of_type(template, "AWS::IAM::ManagedPolicy"):
        counts.update(role["Ref"] for role in policy.get("Roles", ()))
    for role, count in counts.items():
        yield Measured(f"the role {role}", count, _behind(role))


def _managed_sizes(template: Template) -> Iterator[Measured]:
    for name, policy in _of_type(template, "AWS::IAM::ManagedPolicy"):
        size = len(text_of(policy["PolicyDocument"], template))
        yield Measured(f"the policy {name}", size, _behind(name))


def _behind(role: str) -> tuple[str, ...]:
    """The settings that make a role's policies long."""
    if "ExecutorsStateMachine" in role:
        return ("mu_memory_mb", "mu_names")
    if "Executors" in role:
        return ("mu_read_buckets", "mu_write_buckets", "bucket_kms_keys")
    return ("source_buckets", "prefix", "bucket_kms_keys")


def _definitions(template: Template) -> Iterator[Measured]:
    for name, machine in _of_type(template, "AWS::StepFunctions::StateMachine"):
        size = len(text_of(machine["DefinitionString"], template))
        yield Measured(f"the definition of {name}", size, ("mu_memory_mb",))


def _tags(template: Template) -> Iterator[Measured]:
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        tags = properties.get("Tags") or properties.get("ResourceTags") or ()
        yield Measured(name, len(tags), ("tags",))


def _resources(template: Template) -> Iterator[Measured]:
    yield Measured("the stack", len(template["Resources"]), ("mu_memory_mb", "mu_names"))


def _bytes(template: Template) -> Iterator[Measured]:
    size = len(json.dumps(template, separators=(",", ":")).encode())
    yield Measured("the template", size, ("mu_memory_mb", "cors_origins", "source_buckets", "tags"))


LIMITS = (
    Limit(quota("resources of a stack"), _resources),
    Limit(quota("event pattern"), _event_patterns),
    Limit(quota("environment variables of a function, together"), _environments),
    Limit(quota("inline policies of a role, together"), _policies),
    Limit(quota("managed policies of a role"), _managed_policies),
    Limit(quota("managed policy"), _managed_sizes),
    Limit(quota("definition of a state machine"), _definitions),
    Limit(quota("tags of a resource"), _tags),
    Limit(quota("template"), _bytes),
)
"""Every limit that is measured."""

_PSEUDO = {
    "AWS::AccountId": 12,
    "AWS::Partition": len("aws-us-gov"),
    "AWS::Region": len("ap-southeast-1"),
    "AWS::URLSuffix": len("amazonaws.com.cn"),
    "AWS::StackId": 256,
    "AWS::StackName": 128,
}
_LONGEST_NAME = {"AWS::S3::Bucket": 63, "AWS::Lambda::Function": 64, "AWS::IAM::Role": 64,
                 "AWS::KMS::Key": 36}  # fmt: skip
_OTHER_NAME = 80
_ARN = len("arn:aws-us-gov:secretsmanager:ap-southeast-1:123456789012:stateMachine:")
_ARN_OF_BUCKET = len("arn:aws-us-gov:s3:::")
_NAMED_BY_ARN = ("AWS::StepFunctions::StateMachine", "AWS::SNS::Topic", "AWS::SQS::Queue",
                 "AWS::SecretsManager::Secret")  # fmt: skip


def text_of(value: Any, template: Template) -> str:
    """A value as the service gets it: text itself, anything else as JSON without white space."""
    filled = _filled(value, template)
    if isinstance(filled, str):
        return filled
    return json.dumps(filled, separators=(",", ":"), ensure_ascii=False)


def _filled(value: Any, template: Template) -> Any:
    """A value with text of the greatest possible length for what only deployment knows."""
    match value:
        case {"Ref": str(name)}:
            return "x" * (_PSEUDO.get(name) or _name(name, template, arn=False))
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return "x" * _name(name, template, arn=attribute.endswith("Arn"))
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(str(_filled(part, template)) for part in parts)
        case dict():
            return {name: _filled(one, template) for name, one in value.items()}
        case list():
            return [_filled(one, template) for one in value]
    return value


def _name(name: str, template: Template, *, arn: bool) -> int:
    kind = template["Resources"].get(name, {}).get("Type")
    length = _LONGEST_NAME.get(kind, _OTHER_NAME)
    if kind == "AWS::S3::Bucket":
        return length + (_ARN_OF_BUCKET if arn else 0)
    return length + (_ARN if arn or kind in _NAMED_BY_ARN else 0)
