"""Starts the job of an uploaded video, or lets it wait for its turn."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.lifecycle.admission import Waiting, enqueue
from excamera.lifecycle.cancel import is_cancelled
from excamera.lifecycle.uploads import awaited_job, job_of_upload, marked
from functions import begun
from functions.starting import Starter, StartingSettings
from mu import Event, open_store


@dataclass(frozen=True, slots=True)
class StartSettings(StartingSettings):
    """The settings of the start function.

    Attributes:
        output_bucket: name of the bucket for results.
        default_options: the stack's, as `excamera.job.options.EncodeOptions` takes them.
        prefix: how keys of uploads that start jobs begin.
    """

    output_bucket: str
    default_options: dict[str, Any]
    prefix: str


logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = StartSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")
starter = Starter(settings, store)


@metrics.log_metrics
@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """Handle EventBridge's "Object Created".

    The job's name is a function of the upload, so an event that comes twice makes one job. An
    upload whose key does not begin with the stack's prefix makes none. If the job cannot be
    started, it stays in the queue, and Lambda calls this again.
    """
    detail = event["detail"]
    if not detail["object"]["key"].startswith(settings.prefix):
        return {}
    uploaded = _time(event)
    awaited = awaited_job(detail, settings.prefix, store, uploaded)
    job = awaited.event if awaited is not None else _job(detail)
    logger.append_keys(job=job["job"], source=job["input"]["name"])
    # None of these needs what another finds out.
    with ThreadPoolExecutor() as pool:
        marks = None if awaited is not None else pool.submit(marked, job)
        cancelled = pool.submit(is_cancelled, store, Keys(job["job"]))
        pool.submit(starter.room)
    if cancelled.result():
        logger.info("cancelled before")
        return {"job": job["job"]}
    if marks is not None:
        job = marks.result()
    waiting = enqueue(Waiting(job, uploaded), store)
    started = starter.admit({waiting.job: waiting})
    if started:
        metrics.add_metric("JobsStarted", MetricUnit.Count, len(started))
    if awaited is not None:
        store.delete(Keys(waiting.job).upload)  # the queue or the execution stands for the job
    logger.info("started" if waiting.job in started else "queued", started=started)
    return {"job": waiting.job}


def _job(detail: dict[str, Any]) -> Event:
    return job_of_upload(
        detail,
        options=settings.default_options,
        output_store=f"s3://{settings.output_bucket}",
    )


def _time(event: dict[str, Any]) -> float:
    """When the upload was complete, Unix seconds: the same each time its event comes."""
    return datetime.fromisoformat(event["time"]).timestamp() if "time" in event else time.time()


begun()
