"""What mu's executors use: worker functions, the state machine that calls them, and their rights.

A worker may read shares and write what became of them. The calls in it run under another role,
whose rights end at their own job's data: the worker takes it with the job's name as a tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from layers import EXECUTOR, MEDIA
from layers.repository import pinned
from mu.prices import GB_SECOND_USD
from stacks.function import (
    ARCHITECTURES,
    accept_runtime,
    kept_versions,
    log_retention,
    runtime,
)
from stacks.message_server import MessageServer
from stacks.nag import accept_wildcards
from stacks.settings import Settings
from stacks.shares_machine import definition
from stacks.state_machine import allow_distributed_map, new_state_machine
from stacks.storage import Storage

PACKAGES = ("boto3", "botocore", "cloudpickle", "redis")
"""What every worker can import besides mu: Lambda's own, and those of its layer."""

OWN_PACKAGES = ("av", "codec", "excamera", "numpy")
"""What workers of the stack's own architecture can import besides."""

_LAMBDAS = ("boto3", "botocore")
"""Of these, what Lambda has in versions of its own choice."""

_JOBS = "Executors name their jobs while they run: the right is on the shape of a key."
_CALLS = "The tag of the session is the job's name: calls reach no other job."
_PACKAGES = "The list of a job's packages names digests of what its owner has stored."
_FILES = "Users choose which files their calls read and write."


class Executors(Construct):
    """Workers, their rights and their state machine."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        storage: Storage,
        code: lambda_.Code,
        layers: Sequence[lambda_.ILayerVersion],
        own_layers: Sequence[lambda_.ILayerVersion],
    ) -> None:
        """Makes them.

        Args:
            scope: parent.
            construct_id: its id.
            settings: the stack's.
            storage: its buckets.
            code: of all functions.
            layers: of every worker; they hold no native code.
            own_layers: more, of workers of the stack's own architecture.
        """
        super().__init__(scope, construct_id)
        self._settings = settings
        self._work = storage.work
        self._log = logs.LogGroup(
            self,
            "Log",
            retention=log_retention(settings.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self._log.grant_write(self._role)
        task_role = self._task_role(storage)
        self._allow_shares(task_role)
        self._server = MessageServer(self, "Messages") if settings.mu_server else None
        if self._server is not None:
            self._server.admit(self._role, task_role)
        functions = {
            architecture: {
                memory: [
                    self._worker(
                        architecture, memory, number, code,
                        [*layers, *(own_layers if architecture == settings.architecture else ())],
                        task_role,
                    )
                    for number in range(settings.mu_names)
                ]
                for memory in settings.mu_memory_mb
            }
            for architecture in ARCHITECTURES
        }  # fmt: skip
        everyone = [one for sizes in functions.values() for some in sizes.values() for one in some]
        self.machine = self._machine(everyone)
        self.told = Stack.of(self).to_json_string(
            {
                "bucket": self._work.bucket_name,
                "machine": self.machine.state_machine_arn,
                "functions": {
                    architecture: {
                        str(memory): [
                            # This description fits these versions, and no others.
                            f"{one.function_name}:{one.current_version.version}"
                            for one in some
                        ]
                        for memory, some in sizes.items()
                    }
                    for architecture, sizes in functions.items()
                },
                "architecture": settings.architecture,
                "python": settings.python,
                "timeout_s": settings.timeout_s,
                "packages": {
                    architecture: [
                        *PACKAGES,
                        *(OWN_PACKAGES if architecture == settings.architecture else ()),
                    ]
                    for architecture in ARCHITECTURES
                },
                "usd_per_gb_s": GB_SECOND_USD,
                "versions": {
                    architecture: {
                        **dict.fromkeys(_LAMBDAS, ""),
                        **{
                            name: pinned(name)
                            for name in (
                                *EXECUTOR.packages,
                                *(MEDIA.packages if architecture == settings.architecture else ()),
                            )
                        },
                    }
                    for architecture in ARCHITECTURES
                },
                "kept_days": settings.intermediates_days,
                **({} if self._server is None else {"server": self._server.url}),
            }
        )

    def _worker(
        self,
        architecture: str,
        memory: int,
        number: int,
        code: lambda_.Code,
        layers: Sequence[lambda_.ILayerVersion],
        task_role: iam.Role,
    ) -> lambda_.Function:
        settings = self._settings
        usd_per_s = GB_SECOND_USD[architecture] * memory / 1024
        size = architecture.replace("_", "").capitalize()
        server = self._server
        hosted: dict[str, Any] = {} if server is None else server.hosted()
        worker = lambda_.Function(
            Construct(self, f"{size}M{memory}N{number}"),
            "Worker",
            description=f"mu: worker, {architecture}, {memory} MB",
            runtime=runtime(settings),
            architecture=ARCHITECTURES[architecture],
            handler="functions.worker.handler.handler",
            code=code,
            layers=list(layers),
            memory_size=memory,
            ephemeral_storage_size=Size.mebibytes(settings.mu_scratch_mb),
            timeout=Duration.seconds(settings.timeout_s),
            role=self._role,
            log_group=self._log,
            current_version_options=kept_versions(),
            environment={
                "WORK_BUCKET": self._work.bucket_name,
                "TASK_ROLE_ARN": task_role.role_arn,
                "USD_PER_S": f"{usd_per_s:.12f}",
                # Its endpoint in the network answers for the region's name only.
                **({} if server is None else {"AWS_STS_REGIONAL_ENDPOINTS": "regional"}),
            },
            **hosted,
        )
        accept_runtime(worker, settings)
        return worker

    def _allow_shares(self, task_role: iam.Role) -> None:
        """Rights of the workers themselves."""
        for actions, shapes in (
            (["s3:GetObject"], ["shares/*", "functions/*", "stop.json", "lease"]),
            (["s3:PutObject"], ["outcomes/*", "records/*"]),
        ):
            resources = [self._work.arn_for_objects(f"mu/*/{shape}") for shape in shapes]
            self._role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
            accept_wildcards(self._role, resources, _JOBS)
        packages = self._work.arn_for_objects("mu-packages/*")
        self._role.add_to_policy(
            iam.PolicyStatement(actions=["s3:GetObject"], resources=[packages])
        )
        accept_wildcards(self._role, [packages], _PACKAGES)
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["sts:AssumeRole", "sts:TagSession"], resources=[task_role.role_arn]
            )
        )

    def _task_role(self, storage: Storage) -> iam.Role:
        """The role of calls."""
        settings = self._settings
        role = iam.Role(
            self,
            "Calls",
            assumed_by=iam.SessionTagsPrincipal(
                iam.ArnPrincipal(self._role.role_arn).with_conditions(
                    {"Null": {"aws:RequestTag/job": "false"}}
                )
            ),
        )
        data = self._work.arn_for_objects("mu/${aws:PrincipalTag/job}/data/*")
        named = self._named("Writes", settings.mu_write_buckets)
        writable = [storage.output, *named]
        readable = [storage.input, *self._named("Reads", settings.mu_read_buckets), *writable]
        for actions, resources, reason in (
            (["s3:GetObject", "s3:PutObject"], [data], _CALLS),
            (
                ["s3:GetObject", "s3:GetObjectVersion"],
                [one.arn_for_objects("*") for one in readable],
                _FILES,
            ),
            (["s3:PutObject"], [one.arn_for_objects("*") for one in writable], _FILES),
            # Without it S3 says "forbidden" of what is absent.
            (["s3:ListBucket"], [one.bucket_arn for one in readable], ""),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
            accept_wildcards(role, resources, reason)
        return role

    def _named(self, construct_id: str, names: Sequence[str]) -> list[s3.IBucket]:
        return [s3.Bucket.from_bucket_name(self, f"{construct_id}{name}", name) for name in names]

    def _machine(self, functions: Sequence[lambda_.Function]) -> sfn.StateMachine:
        machine = new_state_machine(
            self,
            definition(self._settings.timeout_s, networked=self._server is not None),
            settings=self._settings,
            substitutions={
                "WorkBucket": self._work.bucket_name,
                "PutObject": f"arn:{Aws.PARTITION}:states:::aws-sdk:s3:putObject",
            },
            functions=functions,
            log_id="MachineLog",
            log_suffix="-mu",
        )
        # The CDK spreads rights on many workers over several policies.
        accept_wildcards(machine.role, ["*"], "Traces and the delivery of logs take no resource.")
        allow_distributed_map(
            self,
            machine,
            [
                (["s3:GetObject"], self._work.arn_for_objects("mu/*/items/*")),
                (["s3:PutObject"], self._work.arn_for_objects("mu/*/lost/*")),
            ],
            why_shapes=_JOBS,
        )
        return machine
