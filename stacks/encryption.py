"""A customer's key of KMS for buckets, logs, topics and the queue: the setting `kms_key`.

Without one, S3, CloudWatch Logs and SQS encrypt with keys of their own, which cost nothing and
need no rights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aws_cdk import ArnFormat, Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from stacks.delivery import key_statement
from stacks.settings import Settings

_READS = frozenset({"s3:GetObject", "s3:GetObjectVersion"})
_WRITES = frozenset({"s3:PutObject"})
_SENDS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}
"""Actions by the service that then uses the key for whoever acts."""

DECRYPT, MAKE = "kms:Decrypt", "kms:GenerateDataKey"


class Encryption(Construct):
    """The key, and what the roles of the stack may do with it.

    Attributes:
        key: the stack's own or an existing one, or None.
    """

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.key: kms.IKey | None = None
        if settings.kms_key == "create":
            self.key = self._own(
                destroy=settings.removal == "destroy",
                delivers=bool(settings.cloudfront_public_keys),
            )
        elif settings.kms_key:
            self.key = kms.Key.from_key_arn(self, "Key", settings.kms_key)
        own = [] if self.key is None else [self.key.key_arn]
        self._keys = {
            "s3": [*own, *(one for one in settings.bucket_kms_keys if one != settings.kms_key)],
            **dict.fromkeys(_SENDS, own),
        }

    def _own(self, *, destroy: bool, delivers: bool) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            description=f"{Stack.of(self).stack_name}: films, results, logs and messages",
            enable_key_rotation=True,
            removal_policy=(
                RemovalPolicy.DESTROY if destroy else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            ),
        )
        for statement in service_statements(Stack.of(self)):
            key.add_to_resource_policy(statement)
        if delivers:
            key.add_to_resource_policy(key_statement(Stack.of(self)))
        return key

    def apply(self) -> None:
        """Encrypt all that the stack has, and let its roles use the keys for what they may do.

        To be called when the stack has everything else.
        """
        if not self._keys["s3"]:
            return
        for construct in Stack.of(self).node.find_all():
            if self.key is not None:
                _encrypt(construct, self.key.key_arn)
            if isinstance(construct, iam.Policy):
                document = Stack.of(self).resolve(construct.document)
                for statement in self._statements(_actions(document)):
                    construct.add_statements(statement)

    def _statements(self, actions: set[str]) -> Iterator[iam.PolicyStatement]:
        """Rights on the keys that follow from other rights, each through one service only."""
        needed = {service: [MAKE, DECRYPT] for service, send in _SENDS.items() if send in actions}
        if actions & _WRITES:
            needed["s3"] = [MAKE, DECRYPT]  # the parts of an upload are read to be put together
        elif actions & _READS:
            needed["s3"] = [DECRYPT]
        for service, rights in needed.items():
            if self._keys[service]:
                yield iam.PolicyStatement(
                    actions=rights,
                    resources=self._keys[service],
                    conditions={
                        "StringEquals": {
                            "kms:ViaService": f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}"
                        }
                    },
                )


def service_statements(stack: Stack) -> list[iam.PolicyStatement]:
    """What a key's policy must allow services that act for nobody's role."""
    groups = stack.format_arn(
        service="logs", resource="log-group", resource_name="*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )  # fmt: skip
    alarms = stack.format_arn(
        service="cloudwatch", resource="alarm", resource_name="*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )  # fmt: skip
    return [
        iam.PolicyStatement(
            sid="Logs",
            principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.{Aws.URL_SUFFIX}")],
            actions=["kms:Encrypt", DECRYPT, "kms:ReEncrypt*", "kms:GenerateDataKey*",
                     "kms:DescribeKey"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
        iam.PolicyStatement(
            sid="Alarms",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=[MAKE, DECRYPT],
            resources=["*"],
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": alarms},
            },
        ),
        # EventBridge does not tell KMS for which rule it keeps an event in the queue.
        iam.PolicyStatement(
            sid="UndeliveredEvents",
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=[MAKE, DECRYPT],
            resources=["*"],
        ),
    ]  # fmt: skip


def _encrypt(resource: IConstruct, key_arn: str) -> None:
    match resource:
        case s3.CfnBucket():
            of = s3.CfnBucket
            rule = of.ServerSideEncryptionRuleProperty(
                bucket_key_enabled=True,  # one request to KMS for many objects
                server_side_encryption_by_default=of.ServerSideEncryptionByDefaultProperty(
                    sse_algorithm="aws:kms", kms_master_key_id=key_arn
                ),
            )
            resource.bucket_encryption = of.BucketEncryptionProperty(
                server_side_encryption_configuration=[rule]
            )
        case logs.CfnLogGroup():
            resource.kms_key_id = key_arn
        case sns.CfnTopic():
            resource.kms_master_key_id = key_arn
        case sqs.CfnQueue():
            resource.kms_master_key_id = key_arn
            resource.sqs_managed_sse_enabled = None


def _actions(document: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for statement in (document or {}).get("Statement", ()):
        actions = statement["Action"]
        found.update([actions] if isinstance(actions, str) else actions)
    return found
