"""Jobs as Step Functions knows them: executions of the state machine, named after their job."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from excamera.api.answers import State
from mu import at_once
from mu.store.protocol import REQUESTS_AT_ONCE

STATES: dict[str, State] = {
    "RUNNING": "running",
    "PENDING_REDRIVE": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "ABORTED": "stopped",
    "TIMED_OUT": "timed_out",
}
_EVENTS_KEPT = 2000
_STATUSES = {state: status for status, state in STATES.items() if status != "PENDING_REDRIVE"}


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution.

    Attributes:
        job: name of its job.
        state: in the API's words.
        started: time of its start.
        ended: time of its end, or None.
        event: its input; {} in a list.
        output: its output, or None.
        error: the error it failed with, or "".
        cause: the cause of that error, or "".
        redriven: whether it was redriven; None in a list.
    """

    job: str
    state: State
    started: datetime
    ended: datetime | None
    event: dict[str, Any]
    output: dict[str, Any] | None = None
    error: str = ""
    cause: str = ""
    redriven: bool | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None if it was redriven, as its idle time is unknown."""
        if self.ended is None or self.redriven is not False:
            return None
        return round((self.ended - self.started).total_seconds(), 3)


class Executions:
    """The executions of one state machine."""

    def __init__(self, state_machine: str) -> None:
        self._machine = state_machine
        self._states = boto3.client("stepfunctions")
        self._events: dict[str, dict[str, Any]] = {}

    def _arn(self, job: str) -> str:
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{job}"

    def find(self, job: str) -> Execution | None:
        """The execution of a job, or None."""
        try:
            found = self._states.describe_execution(executionArn=self._arn(job))
        except self._states.exceptions.ExecutionDoesNotExist:
            return None
        output = found.get("output")
        return Execution(
            job=found["name"],
            state=STATES[found["status"]],
            started=found["startDate"],
            ended=found.get("stopDate"),
            event=json.loads(found["input"]),
            output=json.loads(output) if output else None,
            error=found.get("error") or "",
            cause=found.get("cause") or "",
            redriven=bool(found.get("redriveCount")),
        )

    def page(
        self, state: State | None, limit: int, token: str | None
    ) -> tuple[list[Execution], str | None]:
        """Some executions, latest first, and a token for more.

        Raises:
            ValueError: the token is not one of such a list.
        """
        more: dict[str, Any] = {"nextToken": token} if token else {}
        if state is not None:
            more["statusFilter"] = _STATUSES[state]
        try:
            found = self._states.list_executions(
                stateMachineArn=self._machine, maxResults=limit, **more
            )
        except self._states.exceptions.InvalidToken as error:
            raise ValueError("not a token of this list") from error
        executions = [
            Execution(one["name"], STATES[one["status"]], one["startDate"],
                      one.get("stopDate"), {})
            for one in found["executions"]
        ]  # fmt: skip
        return executions, found.get("nextToken")

    @cached_property
    def _for_lists(self) -> Any:
        """A client for many questions at once, none of which is worth waiting for."""
        retries = {"mode": "standard", "total_max_attempts": 2}
        config = Config(max_pool_connections=REQUESTS_AT_ONCE, retries=retries)
        return boto3.client("stepfunctions", config=config)

    def events(self, jobs: Sequence[str]) -> list[dict[str, Any] | None]:
        """The inputs of executions, which a list of Step Functions does not have.

        An input never changes, so this process asks once for each. Step Functions answers a burst
        of a few hundred such questions and then some ten a second: what it refuses is None,
        because a list without it is better than none.

        Args:
            jobs: names of the executions, up to a page of them.
        """
        if len(self._events) > _EVENTS_KEPT:
            self._events.clear()
        states = self._for_lists

        def look_up(job: str) -> None:
            with contextlib.suppress(ClientError, BotoCoreError):
                found = states.describe_execution(executionArn=self._arn(job))
                self._events[job] = json.loads(found["input"])

        at_once(look_up, [job for job in jobs if job not in self._events])
        return [self._events.get(job) for job in jobs]

    def stop(self, job: str) -> None:
        """Stop a job; has no effect on one that has ended."""
        self._states.stop_execution(
            executionArn=self._arn(job), error="JobStopped", cause="cancelled through the API"
        )
