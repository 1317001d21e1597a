"""What a deployment shows of running jobs, and which versions of functions it removes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

from excamera.cloud.account import Account, Stack
from excamera.cloud.deploy import Preflight, RunningJob
from excamera.cloud.versions import (
    NEWEST_KEPT,
    Version,
    named,
    release_provisioned,
    removable,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:Stack-Plan-1a"


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def gone(versions: list[Version], used: set[tuple[str, int]] | None = None) -> list[int]:
    """The numbers of the versions that are removed, if a job may take a day."""
    found = removable(versions, used or set(), now=NOW, longest_job=timedelta(days=1))
    return [one.number for one in found]


def test_versions_of_a_definition_are_found() -> None:
    """If this fails, a version that a job needs is removed."""
    text = f'{{"Resource": "{ARN}:12"}} {ARN} {ARN}:live {ARN}-b:3'
    assert named(text) == {("Stack-Plan-1a", 12), ("Stack-Plan-1a-b", 3)}


def test_only_versions_that_no_job_can_call_are_removed() -> None:
    """If this fails, jobs that run or are resumed lose their code, or code fills the account."""
    # Version 4 was replaced 14 days ago: a job that began just before may have ended a day later.
    published = {1: 90, 2: 60, 3: 30, 4: 20, 5: 14, 6: 3, 7: 2, 8: 1}
    versions = [Version("plan", number, days_ago(days)) for number, days in published.items()]
    assert gone(versions) == [1, 2, 3]
    assert gone(versions, {("plan", 2), ("join", 3)}) == [1, 3]
    assert gone(versions[::-1]) == [1, 2, 3]


def test_the_newest_versions_stay() -> None:
    """If this fails, there is nothing to go back to after years without a deployment."""
    versions = [Version("plan", number, days_ago(900 - number)) for number in range(1, 6)]
    assert gone(versions) == [1, 2]
    assert gone(versions[:NEWEST_KEPT]) == []
    others = [Version("join", number, days_ago(900)) for number in range(1, 3)]
    assert gone([*versions, *others]) == [1, 2]


def preflight(running: int, resources: dict[str, str]) -> str:
    """What a deployment says."""
    stack = Stack("s", "UPDATE_COMPLETE", {}, resources)
    jobs = [RunningJob(f"film-{number}", NOW) for number in range(running)]
    return "\n".join(Preflight("arn:aws:iam::1:user/u", "r", 20, 1000, stack, jobs).notes())


def test_running_jobs_are_shown() -> None:
    """If this fails, who deploys does not learn what runs, or reads a thousand lines of it."""
    told = preflight(2, {"PlanVersion": f"{ARN}:12"})
    assert "2 jobs are running; they end with the code they began with" in told
    assert "running: film-1, since 2026-06-01 00:00:00 UTC" in told
    assert len(preflight(1000, {"PlanVersion": f"{ARN}:12"}).splitlines()) < 20
    assert "990 more" in preflight(1000, {"PlanVersion": f"{ARN}:12"})
    assert preflight(0, {}) == ""


def test_the_first_deployment_with_versions_says_what_it_does() -> None:
    """If this fails, an upgrade from a stack without versions ends jobs without a warning."""
    assert "makes them fail" in preflight(1, {"Plan": "Stack-Plan-1a"})


class Ready:
    """Both clients of an account in which versions of a function have ready environments."""

    class exceptions:  # noqa: N801 (the SDK's name)
        """What the clients raise."""

        class ProvisionedConcurrencyConfigNotFoundException(Exception):
            """There are none."""

    def __init__(self, definition: str, ready: list[int]) -> None:
        self.definition = definition
        self.ready = ready

    def client(self, _service: str) -> Ready:
        return self

    def describe_state_machine(self, **_which: str) -> dict[str, str]:
        return {"definition": self.definition}

    def get_paginator(self, name: str) -> Ready:
        assert name == "list_provisioned_concurrency_configs"
        return self

    def paginate(self, FunctionName: str) -> Iterator[dict[str, object]]:  # noqa: N803 (AWS's name)
        assert FunctionName == "Stack-Encode"
        if not self.ready:
            raise self.exceptions.ProvisionedConcurrencyConfigNotFoundException
        arn = ARN.replace("Stack-Plan-1a", FunctionName)
        for number in list(self.ready):
            yield {"ProvisionedConcurrencyConfigs": [{"FunctionArn": f"{arn}:{number}"}]}

    def delete_provisioned_concurrency_config(self, **which: str) -> None:
        assert which["FunctionName"] == "Stack-Encode"
        self.ready.remove(int(which["Qualifier"]))


def test_replaced_versions_keep_no_environments_ready() -> None:
    """If this fails, each deployment adds to the bill of ready environments, for ever."""
    arn = ARN.replace("Stack-Plan-1a", "Stack-Encode")
    account = Ready(f'{{"Resource": "{arn}:3"}}', [1, 2, 3])
    stack = Stack(
        "s", "UPDATE_COMPLETE", {"StateMachineArn": "m"},
        {"WorkersEncodeFunction0123ABCD": "Stack-Encode"},
    )  # fmt: skip
    assert release_provisioned(cast(Account, account), stack) == 2
    assert account.ready == [3]
    assert release_provisioned(cast(Account, account), stack) == 0
    account.ready = []
    assert release_provisioned(cast(Account, account), stack) == 0
