"""How functions start the jobs that wait, as soon as there is room for them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from excamera.job.environments import at_start
from excamera.job.objects import Keys
from excamera.lifecycle import admission
from excamera.lifecycle.cancel import is_cancelled
from functions.settings import Settings
from functions.turns import capacity
from functions.warming import Warming
from mu import Event, Store


@dataclass(frozen=True, slots=True)
class StartingSettings(Settings):
    """The settings of a function that starts jobs.

    Attributes:
        state_machine_arn: of the state machine that runs jobs.
        work_bucket: name of the bucket with the jobs' objects.
        workers_at_once: functions that all jobs may run at the same time; 0 for the account's.
        job_workers: functions that may encode a job at the same time.
        warm_function: has environments made ahead; "" for none.
    """

    state_machine_arn: str
    work_bucket: str
    workers_at_once: int
    job_workers: int
    warm_function: str


logger = Logger()

_USUAL_CONCURRENCY = 1000
_PAUSES_S = (0, 0.2, 0.5, 1, 2, 4)


class Starter:
    """Starts jobs.

    Args:
        settings: of the function.
        store: the jobs'.
    """

    def __init__(self, settings: StartingSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._states = boto3.client("stepfunctions")
        self._warming = Warming(settings.warm_function)

    def room(self) -> int:
        """How many functions all jobs together may run; asked for at most once a minute."""
        return capacity(self._settings.workers_at_once) or _USUAL_CONCURRENCY

    def admit(self, known: Mapping[str, admission.Waiting] | None = None) -> list[str]:
        """Start what there is room for; returns the names of the jobs.

        Args:
            known: jobs that wait and need not be read, by name.
        """
        return admission.admit(
            self._store,
            capacity=self.room(),
            most=self._settings.job_workers + 1,
            start=self._start,
            known=known,
        )

    def _start(self, event: Event, workers: int) -> bool:
        """Start a job, and wait until its execution can be found."""
        job, states = event["job"], self._states
        machine = self._settings.state_machine_arn
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{job}"
        try:
            states.start_execution(stateMachineArn=machine, name=job, input=json.dumps(event))
        except states.exceptions.ExecutionAlreadyExists:
            found: dict[str, Any] = states.describe_execution(executionArn=arn)
            return bool(found["status"] == "RUNNING")
        self._warming.begin(job, at_start(workers))
        for pause_s in _PAUSES_S:
            time.sleep(pause_s)
            try:
                states.describe_execution(executionArn=arn)
            except states.exceptions.ExecutionDoesNotExist:
                continue
            break
        else:
            logger.warning("execution not visible yet", job=job)
        if is_cancelled(self._store, Keys(job)):
            # Meanwhile: whoever did it did not see an execution.
            states.stop_execution(executionArn=arn, error="JobStopped", cause="cancelled")
            return False
        return True
