"""Looks every few minutes for jobs without progress, and for cancelled jobs with objects."""

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
from excamera.lifecycle.cancel import unswept
from excamera.lifecycle.watching import Running, stalled
from functions import begun
from functions.settings import Settings
from functions.sweeps import Sweeps
from mu import open_store


@dataclass(frozen=True, slots=True)
class WatchSettings(Settings):
    """The settings of the watch function.

    Attributes:
        work_bucket: name of the bucket with the jobs' objects.
        state_machine_arn: of the state machine that runs jobs.
        stalled_after_s: how long a job may go on without the end of a task, in seconds.
        sweep_function: ARN of the function that removes the objects of cancelled jobs.
    """

    work_bucket: str
    state_machine_arn: str
    stalled_after_s: int
    sweep_function: str


logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = WatchSettings.from_environment()
states = boto3.client("stepfunctions")
s3 = boto3.client("s3")
store = open_store(f"s3://{settings.work_bucket}")
sweeps = Sweeps(settings.sweep_function)


@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Count the jobs that run, wait, or make no progress; if there are none, write no metrics.

    Sweeps that have died or run out of time are begun again.
    """
    now = datetime.now(UTC)
    unfinished = unswept(store, _dated(Keys("").cancelled), now=now)
    for name in unfinished:
        logger.warning("sweeps again", job=name)
        sweeps.begin(name)
    running = list(_running())
    found = stalled(
        running,
        _last_task,
        now=now,
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
    return {
        "running": len(running),
        "stalled": len(found),
        "queued": waiting,
        "unswept": len(unfinished),
    }


def _running() -> Iterator[Running]:
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=settings.state_machine_arn, statusFilter="RUNNING"
    )
    for page in pages:
        for execution in page["executions"]:
            since = execution.get("redriveDate") or execution["startDate"]
            yield Running(execution["name"], since)


def _last_task(job: str) -> datetime | None:
    return max((stored for _, stored in _dated(f"{Keys(job).timeline}/")), default=None)


def _dated(prefix: str) -> Iterator[tuple[str, datetime]]:
    """The keys of a prefix, and when each object was stored."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings.work_bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", ()):
            yield item["Key"], item["LastModified"]


begun()
