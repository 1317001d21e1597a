"""Looks every few minutes for jobs that run without progress."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.lifecycle.admission import queue
from excamera.lifecycle.watching import Running, stalled
from functions.settings import Settings
from mu import open_store


@dataclass(frozen=True, slots=True)
class WatchSettings(Settings):
    """The settings of the watch function.

    Attributes:
        work_bucket: name of the bucket with the jobs' objects.
        state_machine_arn: of the state machine that runs jobs.
        stalled_after_s: how long a job may go on without the end of a task, in seconds.
    """

    work_bucket: str
    state_machine_arn: str
    stalled_after_s: int


logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = WatchSettings.from_environment()
states = boto3.client("stepfunctions")
s3 = boto3.client("s3")
store = open_store(f"s3://{settings.work_bucket}")


@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Count the jobs that run, wait, or make no progress; if there are none, write no metrics."""
    running = list(_running())
    found = stalled(
        running,
        _last_task,
        now=datetime.now(UTC),
        patience=timedelta(seconds=settings.stalled_after_s),
    )
    for job in found:
        logger.error("no progress", job=job.job, since=job.since.isoformat())
    waiting = len(queue(store))
    if running or waiting:
        metrics.add_metric("JobsRunning", MetricUnit.Count, len(running))
        metrics.add_metric("JobsStalled", MetricUnit.Count, len(found))
        metrics.add_metric("JobsQueued", MetricUnit.Count, waiting)
        metrics.flush_metrics()
    return {"running": len(running), "stalled": len(found), "queued": waiting}


def _running() -> Iterator[Running]:
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=settings.state_machine_arn, statusFilter="RUNNING"
    )
    for page in pages:
        for execution in page["executions"]:
            since = execution.get("redriveDate") or execution["startDate"]
            yield Running(execution["name"], since)


def _last_task(job: str) -> datetime | None:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=settings.work_bucket, Prefix=f"{Keys(job).timeline}/"
    )
    times = (item["LastModified"] for page in pages for item in page.get("Contents", ()))
    return max(times, default=None)
