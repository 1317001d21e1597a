"""One Lambda function with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from aws_cdk import Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from excamera.job.steps import FRONT_NAMES, PROVISIONED, name_of_size
from stacks.nag import accept, accept_wildcards
from stacks.settings import LOG_DAYS, Settings

LIVE = "live"
"""The alias of functions that events and the API call: the version that is deployed."""

NEWEST_PYTHON = "3.14"
"""The newest runtime that Lambda has."""


ARCHITECTURES = {
    "arm64": lambda_.Architecture.ARM_64,
    "x86_64": lambda_.Architecture.X86_64,
}


def log_retention(days: int) -> logs.RetentionDays:
    """One of `LOG_DAYS` as the CDK names it."""
    return list(logs.RetentionDays)[LOG_DAYS.index(days)]


def runtime(settings: Settings) -> lambda_.Runtime:
    """The runtime of every function."""
    return lambda_.Runtime(
        f"python{settings.python}",
        lambda_.RuntimeFamily.PYTHON,
        supports_snap_start=bool(settings.snap_start),
    )


def accept_runtime(function: lambda_.Function, settings: Settings) -> None:
    """Accept that the context asks for an older runtime, if it does."""
    if settings.python != NEWEST_PYTHON:
        accept(function, "AwsSolutions-L1", "An older runtime was asked for by context.")


def kept_versions(provisioned: int = 0) -> lambda_.VersionOptions:
    """Versions outlive the deployment that replaces them, for the jobs that began with them.

    One that a failed deployment made is removed again: Lambda would take the next attempt's for
    the same, and CloudFormation would fail.

    Args:
        provisioned: environments of the version that are always ready. A replaced version keeps
            them, too, until `excamera.cloud.versions` takes them away.
    """
    return lambda_.VersionOptions(
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        provisioned_concurrent_executions=provisioned or None,
    )


def all_versions(function: lambda_.IFunction) -> str:
    """The ARNs of all versions and aliases of a function, for a right to call them."""
    return f"{function.function_arn}:*"


class Function(Construct):
    """A function that may write its own log and traces; `allow` grants it more.

    Nobody calls it by its bare name, which means the code deployed last: state machines name its
    `version`, so that a job ends with the code with which it began, and all else its alias `live`.

    Args:
        scope: parent.
        construct_id: the step's name, capitalised.
        settings: the stack's.
        step: folder under `functions/`.
        code: the code of all functions.
        layers: layers of the packages that it imports.
        environment: see `functions.settings`.
        timeout_s: time limit of one call.
        scratch_mb: size of `/tmp`.
        more_mb: further sizes of memory in which it is there, with the same role and log.

    Attributes:
        log: of all sizes.
        role: of all sizes.
        sizes: the function in each size of memory, by MB; the usual one is the first.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        step: str,
        code: lambda_.Code,
        layers: Sequence[lambda_.ILayerVersion],
        environment: dict[str, str],
        timeout_s: int,
        scratch_mb: int = 512,
        more_mb: Sequence[int] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self._step = step
        log = logs.LogGroup(
            self,
            "Log",
            retention=log_retention(settings.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log.grant_write(self.role)
        self.log = log

        snap_start = (
            lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if step in settings.snap_start else None
        )

        def of_size(construct_id: str, memory_mb: int, provisioned: int = 0) -> lambda_.Function:
            function = lambda_.Function(
                self,
                construct_id,
                description=f"ExCamera: {step}",
                runtime=runtime(settings),
                architecture=ARCHITECTURES[settings.architecture],
                handler=f"functions.{step}.handler.handler",
                code=code,
                layers=list(layers),
                memory_size=memory_mb,
                ephemeral_storage_size=Size.mebibytes(scratch_mb),
                timeout=Duration.seconds(timeout_s),
                reserved_concurrent_executions=(
                    settings.front_reserved or None if step in FRONT_NAMES else None
                ),
                role=self.role,
                log_group=log,
                tracing=lambda_.Tracing.ACTIVE if settings.tracing else lambda_.Tracing.DISABLED,
                snap_start=snap_start,
                current_version_options=kept_versions(provisioned),
                environment={
                    "POWERTOOLS_SERVICE_NAME": step,
                    "POWERTOOLS_METRICS_NAMESPACE": Stack.of(self).stack_name,
                    **({} if settings.tracing else {"POWERTOOLS_TRACE_DISABLED": "true"}),
                    **environment,
                },
            )
            accept_runtime(function, settings)
            return function

        usual_mb = settings.memory_mb[step]
        provisioned = settings.provisioned if step == PROVISIONED else 0
        self.sizes = {usual_mb: of_size("Function", usual_mb, provisioned)}
        for memory_mb in more_mb:
            self.sizes[memory_mb] = of_size(f"Memory{memory_mb}", memory_mb)
        # Of the role, as the CDK spreads what is too long for one policy over several.
        if settings.tracing:
            accept_wildcards(self.role, ["*"], "X-Ray's actions on traces take no resource.")

    @property
    def function(self) -> lambda_.Function:
        """The function in its usual size."""
        return next(iter(self.sizes.values()))

    @property
    def by_name(self) -> dict[str, lambda_.Function]:
        """The function in each size, by the names under which jobs call them."""
        (_, usual), *further = self.sizes.items()
        sized = {name_of_size(self._step, memory_mb): one for memory_mb, one in further}
        return {self._step: usual, **sized}

    @property
    def version(self) -> lambda_.IVersion:
        """The code and configuration of this deployment."""
        return self.function.current_version

    @cached_property
    def live(self) -> lambda_.Alias:
        """The alias for callers that want the version that is deployed."""
        return lambda_.Alias(self, "Live", alias_name=LIVE, version=self.version)

    def allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        reason: str = "",
        conditions: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Grant actions on resources; a wildcard among the resources needs a reason."""
        self.role.add_to_policy(
            iam.PolicyStatement(
                actions=list(actions), resources=list(resources), conditions=conditions
            )
        )
        accept_wildcards(self.role, resources, reason)
