"""Starts the jobs that wait, as soon as there is room for them."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.lifecycle import admission
from excamera.lifecycle.ending import is_of_child
from functions import begun
from functions.starting import Starter, StartingSettings
from mu import open_store

logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = StartingSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")
starter = Starter(settings, store)
states = boto3.client("stepfunctions")


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
    started = starter.admit()
    for job in started:
        logger.info("started", job=job)
    if started:
        metrics.add_metric("JobsStarted", MetricUnit.Count, len(started))
    return {"started": started}


def _running() -> list[str]:
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=settings.state_machine_arn, statusFilter="RUNNING"
    )
    return [execution["name"] for page in pages for execution in page["executions"]]


begun()
