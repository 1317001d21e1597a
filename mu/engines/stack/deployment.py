"""A deployed stack as an executor sees it, found by its name."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from mu.errors import ChannelRefused, StackError
from mu.messages.opening import SOCKETS, VALKEY

OUTPUT = "Mu"
"""The stack's output that says all this."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a stack has for executors.

    Attributes:
        name: the stack's name.
        bucket: of the store.
        machine: ARN of the state machine that calls the functions.
        functions: names of the functions, by architecture and then by memory in MB.
        architecture: of functions, unless another is asked for.
        python: version of the functions' Python, such as "3.14".
        timeout_s: seconds after which Lambda ends a function's call.
        packages: what functions can import besides Python's own and mu, by architecture.
        usd_per_gb_s: what Lambda charges for a second with 1,024 MB, by architecture.
        versions: of the distributions that functions can import, by architecture and normal name;
            "" if Lambda chooses it.
        kept_days: after how many days packages expire; 0 if its workers know of none.
        server: URL of the stack's own server for messages; "" if it has none.
    """

    name: str
    bucket: str
    machine: str
    functions: Mapping[str, Mapping[int, Sequence[str]]] = field(repr=False)
    architecture: str
    python: str
    timeout_s: int
    packages: Mapping[str, Sequence[str]]
    usd_per_gb_s: Mapping[str, float] = field(repr=False)
    versions: Mapping[str, Mapping[str, str]] = field(repr=False, default_factory=dict)
    kept_days: int = 0
    server: str = ""

    @classmethod
    def find(cls, name: str) -> Deployment:
        """The stack of this name, in the account and region of the environment.

        Raises:
            StackError: there is none, it has nothing for executors, or AWS does not answer.
        """
        with explained(f"the stack {name} is not to be had"):
            (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}
        if OUTPUT not in outputs:
            raise StackError(
                f"the stack {name} has nothing for executors: deploy it again with this version"
            )
        told = json.loads(outputs[OUTPUT])
        functions = {
            architecture: {int(memory): names for memory, names in sizes.items()}
            for architecture, sizes in told.pop("functions").items()
        }
        return cls(name=name, functions=functions, **told)

    def channel(self, kind: str) -> str:
        """What `begin_channel` is told of a kind of channel.

        Raises:
            ChannelRefused: workers of this stack have no such channel.
        """
        if kind == SOCKETS:
            raise ChannelRefused("workers of a stack have no sockets in common")
        if kind != VALKEY:
            return kind
        if not self.server:
            raise ChannelRefused(
                f"{self.name} has no server for messages: deploy it with -c mu_server=valkey, "
                'which costs something at all times (docs/deploy.md), or use channel="store"'
            )
        return self.server

    def sizes(self, architecture: str) -> list[int]:
        """The functions' memory sizes in MB, from the smallest.

        Raises:
            StackError: there are no functions of this architecture.
        """
        if architecture not in self.functions:
            known = ", ".join(self.functions)
            raise StackError(f"{self.name} has no workers for {architecture}: it has {known}")
        return sorted(self.functions[architecture])

    def fitting(self, architecture: str, memory_mb: int) -> int:
        """The memory size of the smallest functions that have so much, in MB.

        Raises:
            StackError: there are none.
        """
        sizes = self.sizes(architecture)
        for size in sizes:
            if size >= memory_mb:
                return size
        raise StackError(
            f"no workers of {self.name} have {memory_mb} MB: the largest have {sizes[-1]}; the "
            "setting mu_memory_mb adds others"
        )


def most_at_once() -> int:
    """How many calls of functions without a reservation may run at once in the account."""
    with explained("lambda:GetAccountSettings"):
        limit = client("lambda").get_account_settings()["AccountLimit"]
    return int(limit.get("UnreservedConcurrentExecutions", limit["ConcurrentExecutions"]))


def stop_execution(arn: str, cause: str) -> bool:
    """End an execution of a state machine.

    Args:
        arn: its ARN.
        cause: is shown with it.

    Returns:
        Whether it still ran.

    Raises:
        StackError: AWS does not answer, or refuses.
    """
    states = client("stepfunctions")
    try:
        with explained("states:StopExecution"):
            states.stop_execution(executionArn=arn, error="Cancelled", cause=cause)
    except StackError:
        with explained("states:DescribeExecution"):
            if states.describe_execution(executionArn=arn)["status"] == "RUNNING":
                raise
        return False
    return True


@cache
def client(service: str) -> Any:
    """This process's client of a service.

    Raises:
        StackError: the environment's settings make no address.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=30
    )
    try:
        # The SDK itself reads AWS_DEFAULT_REGION only.
        region = os.environ.get("AWS_REGION") or None
        return boto3.client(service, region, config=config)
    except ValueError as error:  # an address that is none
        raise StackError(
            f"AWS configuration: {error}: check AWS_REGION and AWS_ENDPOINT_URL"
        ) from error


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours.

    Raises:
        StackError: always, if there was one.
    """
    try:
        yield
    except NoRegionError as error:
        raise StackError(f"{what}: no region is configured: set AWS_REGION") from error
    except (ClientError, BotoCoreError) as error:
        raise StackError(f"{what}: {error}") from error
