"""A job of an executor on a stack, seen from anywhere: its records, its cost, its end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mu.engines.stack.deployment import Deployment, client, explained, stop_execution
from mu.engines.stack.share import Keys, write_stop
from mu.errors import NoSuchJob
from mu.prices import INVOCATION_USD, READ_USD, TRANSITION_USD, WRITE_USD
from mu.store.protocol import Store, at_once
from mu.store.s3.bucket import S3Store


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job's workers have cost so far.

    Attributes:
        shares: calls of functions that have ended.
        calls: attempts of calls in them.
        seconds: time of the functions.
        dollars: for that time, and for the requests that belong to a share.
    """

    shares: int
    calls: int
    seconds: float
    dollars: float


_OF_A_SHARE_USD = INVOCATION_USD + 3 * TRANSITION_USD + 4 * WRITE_USD + 4 * READ_USD
"""A share is written, called, read with its function, looked after, answered and recorded."""


class Job:
    """A job by its name.

    Raises:
        NoSuchJob: the stack has nothing of it.
    """

    def __init__(self, deployment: Deployment, name: str) -> None:
        self.name = name
        self._deployment = deployment
        self._keys = Keys(name)
        self._store: Store = S3Store(deployment.bucket)
        if not name or "/" in name or not self._store.list(self._keys.prefix):
            raise NoSuchJob(f"{deployment.name} knows no job {name!r}")

    def shares(self) -> list[dict[str, Any]]:
        """The records of the shares that have ended, in the order of their ends."""
        keys = self._store.list(self._keys.records)
        found = [json.loads(data) for data in at_once(self._store.get, keys)]
        return sorted(found, key=lambda share: float(share["ended"]))

    def logs(self) -> list[tuple[str, str]]:
        """What each call printed last, after its name, number and error."""
        return [
            (
                f"{call['task']} {call['number']}, attempt {call['attempt']}"
                + (f", {call['error']}" if call["error"] else ""),
                call["log"],
            )
            for share in self.shares()
            for call in share["calls"]
        ]

    def cost(self) -> Cost:
        """What its workers have cost so far."""
        shares = self.shares()
        return Cost(
            shares=len(shares),
            calls=sum(len(share["calls"]) for share in shares),
            seconds=sum(share["ended"] - share["received"] for share in shares),
            dollars=sum(share["dollars"] for share in shares) + _OF_A_SHARE_USD * len(shares),
        )

    def cancel(self) -> int:
        """End all of it; returns how many executions were running.

        Raises:
            StackError: AWS does not answer.
        """
        write_stop(self._store, self._keys, everything=True)
        states = client("stepfunctions")
        stopped = 0
        with explained("states:ListExecutions"):
            pages = states.get_paginator("list_executions").paginate(
                stateMachineArn=self._deployment.machine, statusFilter="RUNNING"
            )
            for page in pages:
                for execution in page["executions"]:
                    if execution["name"].startswith(f"{self.name}-"):
                        stopped += stop_execution(
                            execution["executionArn"], "the job was cancelled"
                        )
        return stopped
