"""Versions of a stack's functions: deployments leave them for the jobs that began with them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from excamera.cloud.account import Account, Stack, explained
from excamera.job.steps import PROVISIONED

REDRIVABLE = timedelta(days=14)
"""How long after its end Step Functions can run an execution again."""

NEWEST_KEPT = 3
"""The newest versions of each function stay in any case, to go back to."""

_VERSION = re.compile(r":function:([\w-]+):(\d+)")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a function.

    Attributes:
        function: the function's name.
        number: its number; later ones are higher.
        published: when it was made.
    """

    function: str
    number: int
    published: datetime


def named(text: str) -> set[tuple[str, int]]:
    """The versions, by function and number, whose ARNs are in a text such as a definition."""
    return {(function, int(number)) for function, number in _VERSION.findall(text)}


def superseded_before(versions: Iterable[Version], moment: datetime) -> list[Version]:
    """The versions that were replaced before a moment, without the newest of each function."""
    of_function: defaultdict[str, list[Version]] = defaultdict(list)
    for version in sorted(versions, key=lambda one: one.number):
        of_function[version.function].append(version)
    return [
        older
        for some in of_function.values()
        for older, newer in list(pairwise(some))[: max(0, len(some) - NEWEST_KEPT)]
        if newer.published < moment
    ]


def removable(
    versions: Iterable[Version],
    used: Collection[tuple[str, int]],
    *,
    now: datetime,
    longest_job: timedelta,
) -> list[Version]:
    """The versions that no job can call any more.

    A job names the versions that were current when it began, runs for `longest_job` at most, and
    may be run again for two weeks after its end. One that is run again and again is older than
    that; so `used` has to tell what running jobs name.

    Args:
        versions: of any number of functions.
        used: function and number of versions that are named by aliases, current definitions and
            running executions.
        now: the current time.
        longest_job: time limit of one job.
    """
    moment = now - REDRIVABLE - longest_job
    return [
        one for one in superseded_before(versions, moment) if (one.function, one.number) not in used
    ]


def remove_old(account: Account, stack: Stack, now: datetime | None = None) -> list[Version]:
    """Delete the versions that no job can call any more, and return them.

    Raises:
        CloudError: the credentials do not suffice, or AWS does not answer.
    """
    now = now or datetime.now(UTC)
    functions, states = account.client("lambda"), account.client("stepfunctions")
    machine = stack.outputs["StateMachineArn"]
    with explained("removing old versions of functions"):
        definition = states.describe_state_machine(stateMachineArn=machine)["definition"]
        longest_job = timedelta(seconds=json.loads(definition)["TimeoutSeconds"])
        current = named("\n".join(stack.resources.values()))
        published: list[Version] = []
        used = named(definition) | current
        for name in sorted({function for function, _ in current}):
            published += _published(functions, name)
            used |= _aliased(functions, name)
        moment = now - REDRIVABLE - longest_job
        if superseded_before(published, moment):
            used |= _of_running(states, machine, before=moment)
        gone = removable(published, used, now=now, longest_job=longest_job)
        for one in gone:
            functions.delete_function(FunctionName=one.function, Qualifier=str(one.number))
    return gone


def _published(functions: Any, name: str) -> list[Version]:
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    return [
        Version(name, int(one["Version"]), datetime.fromisoformat(one["LastModified"]))
        for page in pages
        for one in page["Versions"]
        if one["Version"] != "$LATEST"
    ]


def _aliased(functions: Any, name: str) -> set[tuple[str, int]]:
    pages = functions.get_paginator("list_aliases").paginate(FunctionName=name)
    found = set()
    for page in pages:
        for alias in page["Aliases"]:
            more = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
            numbers = [alias["FunctionVersion"], *more]
            found |= {(name, int(number)) for number in numbers if number != "$LATEST"}
    return found


def _of_running(states: Any, machine: str, *, before: datetime) -> set[tuple[str, int]]:
    """What running executions name that began before a moment."""
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="RUNNING"
    )
    found: set[tuple[str, int]] = set()
    for page in pages:
        for execution in page["executions"]:
            if execution["startDate"] < before:
                arn = execution["executionArn"]
                told = states.describe_state_machine_for_execution(executionArn=arn)
                found |= named(told["definition"])
    return found


def release_provisioned(account: Account, stack: Stack) -> int:
    """Take away the environments that are kept ready for versions which new jobs do not call.

    Returns:
        How many versions had some.

    Raises:
        CloudError: the credentials do not suffice, or AWS does not answer.
    """
    functions, states = account.client("lambda"), account.client("stepfunctions")
    with explained("taking ready environments from old versions"):
        machine = stack.outputs["StateMachineArn"]
        called = named(states.describe_state_machine(stateMachineArn=machine)["definition"])
        found = _provisioned(functions, stack.functions()[PROVISIONED])
        for function, number in found - called:
            functions.delete_provisioned_concurrency_config(
                FunctionName=function, Qualifier=str(number)
            )
    return len(found - called)


def _provisioned(functions: Any, name: str) -> set[tuple[str, int]]:
    pages = functions.get_paginator("list_provisioned_concurrency_configs").paginate(
        FunctionName=name
    )
    try:
        return {
            one
            for page in pages
            for config in page["ProvisionedConcurrencyConfigs"]
            for one in named(config["FunctionArn"])
        }
    except functions.exceptions.ProvisionedConcurrencyConfigNotFoundException:
        return set()
