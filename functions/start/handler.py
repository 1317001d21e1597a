"""Lets the job of an uploaded video wait for its turn."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.lifecycle.admission import Waiting, enqueue
from excamera.lifecycle.cancel import is_cancelled
from excamera.lifecycle.uploads import awaited_job, job_of_upload, marks_of_upload
from functions import begun
from functions.settings import Settings
from functions.turns import call_admit
from mu import open_store


@dataclass(frozen=True, slots=True)
class StartSettings(Settings):
    """The settings of the start function.

    Attributes:
        stack: name of the stack.
        work_bucket: name of the bucket with the jobs' objects.
        output_bucket: name of the bucket for results.
        default_options: the stack's, as `excamera.job.options.EncodeOptions` takes them.
        prefix: how keys of uploads that start jobs begin.
    """

    stack: str
    work_bucket: str
    output_bucket: str
    default_options: dict[str, Any]
    prefix: str


logger = Logger()
tracer = Tracer()
settings = StartSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")


@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """Handle EventBridge's "Object Created".

    The job's name is a function of the upload, so an event that comes twice makes one job. An
    upload whose key does not begin with the stack's prefix makes none.
    """
    detail = event["detail"]
    if not detail["object"]["key"].startswith(settings.prefix):
        return {}
    uploaded = _time(event)
    waiting = awaited_job(detail, settings.prefix, store, uploaded)
    if waiting is None:
        job = job_of_upload(
            detail,
            options=settings.default_options,
            output_store=f"s3://{settings.output_bucket}",
        )
        tag, priority = marks_of_upload(job)
        job |= {"tag": tag, "priority": priority}
        waiting = Waiting(job, uploaded)
    logger.append_keys(job=waiting.job, source=waiting.event["input"]["name"])
    if is_cancelled(store, Keys(waiting.job)):
        logger.info("cancelled before")
        return {"job": waiting.job}
    enqueue(waiting, store)
    store.delete(Keys(waiting.job).upload)  # from now on the queue stands for the job
    call_admit(settings.stack)
    logger.info("queued")
    return {"job": waiting.job}


def _time(event: dict[str, Any]) -> float:
    """When the upload was complete, Unix seconds: the same each time its event comes."""
    return datetime.fromisoformat(event["time"]).timestamp() if "time" in event else time.time()


begun()
