"""Checks before a deployment: what would make it fail, or harm running jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from excamera.cloud.account import Account, Stack, explained
from excamera.cloud.cdk import USUAL_QUALIFIER, qualifier
from excamera.cloud.project import Project
from excamera.cloud.versions import named
from excamera.errors import CloudUnavailable, DeploymentFailed, NoSuchStack, NotAllowed

OLDEST_BOOTSTRAP = 6
"""Version of the CDK's bootstrap stack that the CDK library requires."""

USUAL_CONCURRENCY = 1000
NEW_ACCOUNT_MEMORY_MB = 3008
"""The most memory that AWS allows a function of a new account."""

FRONT_RESERVED = 10
"""What is reserved for each function that serves jobs, if the account allows it."""

_SMALLEST_GOOD_CONCURRENCY = 50


_SHOWN = 10
"""Running jobs that are named; of more, only the number is told."""


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that runs: its name, and since when."""

    job: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Preflight:
    """The state of an account before a deployment.

    Attributes:
        identity: ARN of the caller.
        region: region of the deployment.
        bootstrap: version of the bootstrap stack, or None if there is none.
        concurrency: functions that the account runs at once; None if unknown.
        stack: the stack as it is now, or None.
        running: the running jobs, latest first.
        qualifier: which of the account's bootstraps the stack uses.
    """

    identity: str
    region: str
    bootstrap: int | None
    concurrency: int | None
    stack: Stack | None
    running: Sequence[RunningJob] = ()
    qualifier: str = USUAL_QUALIFIER

    @property
    def account(self) -> str:
        """The account's number."""
        return self.identity.split(":")[4]

    @property
    def new_account(self) -> bool:
        """Whether the account still has the quotas of a new account."""
        return self.concurrency is not None and self.concurrency < USUAL_CONCURRENCY

    def fit_memory(self, memory_mb: Mapping[str, int]) -> dict[str, int]:
        """Memory that functions can have in this account, by function.

        A new account's limit cannot be looked up; accounts with it also have a low concurrency.
        """
        most = NEW_ACCOUNT_MEMORY_MB if self.new_account else max(memory_mb.values())
        return {step: min(memory, most) for step, memory in memory_mb.items()}

    def fit_sizes(self, sizes_mb: Sequence[int]) -> list[int]:
        """The sizes of memory that functions can have in this account."""
        return [one for one in sizes_mb if not self.new_account or one <= NEW_ACCOUNT_MEMORY_MB]

    def fit_front(self) -> int:
        """Calls that the account can reserve for each function that serves jobs.

        AWS keeps 100 that nobody may reserve, so an account with a low quota can reserve none.
        """
        return FRONT_RESERVED if self.concurrency is not None and not self.new_account else 0

    def notes(self) -> list[str]:
        """Remarks that do not prevent a deployment."""
        notes = []
        if self.concurrency is not None and self.concurrency < _SMALLEST_GOOD_CONCURRENCY:
            notes.append(
                f"this account runs at most {self.concurrency} functions at a time, so jobs are "
                "slow; a higher quota of concurrent executions is free (docs/operations.md)"
            )
        if self.running:
            notes.append(
                f"{len(self.running)} jobs are running; they end with the code they began with"
                if self._keeps_versions
                else f"{len(self.running)} jobs are running, and this deployment makes them fail: "
                "the stack is from before functions had versions; better wait for their end"
            )
        for one in self.running[:_SHOWN]:
            notes.append(f"running: {one.job}, since {one.since:%Y-%m-%d %H:%M:%S} UTC")
        if len(self.running) > _SHOWN:
            notes.append(f"running: {len(self.running) - _SHOWN} more")
        return notes

    @property
    def _keeps_versions(self) -> bool:
        """Whether the stack's jobs name versions of functions, which stay."""
        return self.stack is not None and bool(named("\n".join(self.stack.resources.values())))

    def check(self) -> None:
        """Raise `DeploymentFailed` if the deployment would fail."""
        if self.bootstrap is None or self.bootstrap < OLDEST_BOOTSTRAP:
            raise DeploymentFailed(
                f"account {self.account} is not bootstrapped for the CDK in {self.region}"
                + ("" if self.qualifier == USUAL_QUALIFIER
                   else f" with the qualifier {self.qualifier}")
                + (f" (version {self.bootstrap} is too old)" if self.bootstrap else "")
                + ": run the same command with --bootstrap"
            )  # fmt: skip
        if self.stack is not None and self.stack.status in ("ROLLBACK_COMPLETE", "DELETE_FAILED",
                                                             "ROLLBACK_FAILED"):  # fmt: skip
            raise DeploymentFailed(
                f"the stack {self.stack.name} is in {self.stack.status}, from which it cannot be "
                "updated: run `excamera destroy`, then deploy again"
            )
        if self.stack is not None and self.stack.status.endswith("_IN_PROGRESS"):
            raise DeploymentFailed(
                f"the stack {self.stack.name} is in {self.stack.status}: wait until this has ended"
            )


def look(account: Account, name: str, project: Project, context: Mapping[str, str]) -> Preflight:
    """Look at an account and at the stack to deploy into it.

    Args:
        account: the account.
        name: the stack's name.
        project: what will be deployed.
        context: settings of this deployment only.

    Raises:
        CloudError: there are no credentials, or they do not suffice.
    """
    bootstrap = qualifier({**project.context(), **context})
    identity = account.identity()
    try:
        stack: Stack | None = account.stack(name)
    except NoSuchStack:
        stack = None
    return Preflight(
        identity=identity,
        region=account.region,
        bootstrap=_bootstrap(account, bootstrap),
        concurrency=concurrency(account),
        stack=stack,
        running=_running(account, stack) if stack else (),
        qualifier=bootstrap,
    )


def concurrency(account: Account) -> int | None:
    """How many functions an account runs at once; None if the credentials may not ask."""
    try:
        with explained("lambda:GetAccountSettings"):
            found = account.client("lambda").get_account_settings()["AccountLimit"]
    except (NotAllowed, CloudUnavailable):
        return None
    return int(found["ConcurrentExecutions"])


def _bootstrap(account: Account, which: str) -> int | None:
    parameter = f"/cdk-bootstrap/{which}/version"
    try:
        with explained("ssm:GetParameter"):
            found = account.client("ssm").get_parameter(Name=parameter)
    except CloudUnavailable as error:
        if "ParameterNotFound" in str(error):
            return None
        raise
    return int(found["Parameter"]["Value"])


def _running(account: Account, stack: Stack) -> list[RunningJob]:
    machine = stack.outputs.get("StateMachineArn")
    if machine is None:
        return []
    with explained("states:ListExecutions"):
        pages = account.client("stepfunctions").get_paginator("list_executions")
        return [
            RunningJob(one["name"], one["startDate"].astimezone(UTC))
            for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
            for one in page["executions"]
        ]


def destroy(account: Account, name: str) -> list[str]:
    """Delete a stack and wait until it is gone; returns the buckets that remain.

    Raises:
        NoSuchStack: there is no stack of that name.
        DeploymentFailed: a resource could not be deleted.
    """
    stack = account.stack(name)
    cloudformation = account.client("cloudformation")
    with explained("cloudformation:DeleteStack"):
        cloudformation.delete_stack(StackName=name)
        if not account.wait("cloudformation", "stack_delete_complete", StackName=name):
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
                for event in events
                if event["ResourceStatus"] == "DELETE_FAILED" and "ResourceStatusReason" in event
            ]
            why = "; ".join(reasons[:3]) or "it did not end in half an hour"
            raise DeploymentFailed(f"the stack {name} could not be deleted: {why}")
    s3 = account.client("s3")
    left = []
    for output in ("InputBucket", "WorkBucket", "OutputBucket"):
        bucket = stack.outputs.get(output)
        if bucket:
            try:
                with explained("s3:ListBucket"):
                    s3.head_bucket(Bucket=bucket)
            except (CloudUnavailable, NotAllowed):
                continue
            left.append(bucket)
    return left
