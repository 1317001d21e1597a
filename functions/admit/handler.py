"""Starts the jobs that wait, as soon as there is room for them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.environments import AT_START
from excamera.job.objects import Keys
from excamera.lifecycle import admission
from excamera.lifecycle.cancel import is_cancelled
from excamera.lifecycle.ending import is_of_child
from functions import begun
from functions.settings import Settings
from functions.turns import capacity
from functions.warming import Warming
from mu import Event, open_store


@dataclass(frozen=True, slots=True)
class AdmitSettings(Settings):
    """The settings of the admit function.

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
metrics = Metrics()
tracer = Tracer()
settings = AdmitSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")
states = boto3.client("stepfunctions")
warming = Warming(settings.warm_function)

_USUAL_CONCURRENCY = 1000
_PAUSES_S = (0, 0.2, 0.5, 1, 2, 4)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Start what there is room for.

    Whoever adds a job to the queue calls it, or makes room. It also handles EventBridge's events
    of executions' ends and, in case one of these is lost, a schedule.
    """
    if event["detail-type"] == "Scheduled Event":
        admission.reconcile(_running(), store)
    elif event["detail-type"] != admission.TURN and not is_of_child(event["detail"]):
        admission.release(event["detail"]["name"], store)
    most = settings.job_workers + 1
    room = capacity(settings.workers_at_once) or _USUAL_CONCURRENCY
    started = admission.admit(store, capacity=room, most=most, start=_start)
    for job in started:
        logger.info("started", job=job)
    if started:
        metrics.add_metric("JobsStarted", MetricUnit.Count, len(started))
    return {"started": started}


def _start(event: Event) -> bool:
    """Start a job, and wait until its execution can be found."""
    job = event["job"]
    arn = f"{settings.state_machine_arn.replace(':stateMachine:', ':execution:')}:{job}"
    try:
        states.start_execution(
            stateMachineArn=settings.state_machine_arn, name=job, input=json.dumps(event)
        )
    except states.exceptions.ExecutionAlreadyExists:
        return bool(states.describe_execution(executionArn=arn)["status"] == "RUNNING")
    warming.begin(job, AT_START)
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        try:
            states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            continue
        break
    else:
        logger.warning("execution not visible yet", job=job)
    if is_cancelled(store, Keys(job)):  # meanwhile: whoever did it did not see an execution
        states.stop_execution(executionArn=arn, error="JobStopped", cause="cancelled")
        return False
    return True


def _running() -> list[str]:
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=settings.state_machine_arn, statusFilter="RUNNING"
    )
    return [execution["name"] for page in pages for execution in page["executions"]]


begun()
