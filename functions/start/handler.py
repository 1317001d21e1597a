"""Starts the job of an uploaded video."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.lifecycle.uploads import awaited_job, job_of_upload, tag_of_upload
from functions.settings import Settings
from mu import open_store


@dataclass(frozen=True, slots=True)
class StartSettings(Settings):
    """The settings of the start function.

    Attributes:
        state_machine_arn: of the state machine that runs jobs.
        work_bucket: name of the bucket with the jobs' objects.
        output_bucket: name of the bucket for results.
        default_options: the stack's, as `excamera.job.options.EncodeOptions` takes them.
        prefix: how keys of uploads that start jobs begin.
    """

    state_machine_arn: str
    work_bucket: str
    output_bucket: str
    default_options: dict[str, Any]
    prefix: str


logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = StartSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")
states = boto3.client("stepfunctions")

_PAUSES_S = (0, 0.2, 0.5, 1, 2, 4)


@metrics.log_metrics
@tracer.capture_lambda_handler
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, str]:
    """Start an execution for EventBridge's "Object Created", under the name of the job.

    The name is a function of the upload, so an event that comes twice starts one job. An
    upload whose key does not begin with the stack's prefix starts none.
    """
    if not event["detail"]["object"]["key"].startswith(settings.prefix):
        return {}
    job = awaited_job(event["detail"], settings.prefix, store)
    awaited = job is not None
    if job is None:
        job = job_of_upload(
            event["detail"],
            options=settings.default_options,
            output_store=f"s3://{settings.output_bucket}",
        )
        job["tag"] = tag_of_upload(job)
    logger.append_keys(job=job["job"], source=job["input"]["name"])
    try:
        states.start_execution(
            stateMachineArn=settings.state_machine_arn, name=job["job"], input=json.dumps(job)
        )
    except states.exceptions.ExecutionAlreadyExists:
        logger.info("started before")
    else:
        logger.info("started")
        metrics.add_metric("JobsStarted", MetricUnit.Count, 1)
    if awaited and _is_seen(job["job"]):
        store.delete(Keys(job["job"]).upload)  # from now on the execution stands for the job
    return {"job": job["job"]}


def _is_seen(job: str) -> bool:
    """Whether the started execution can be found; Step Functions takes a moment to show it."""
    arn = f"{settings.state_machine_arn.replace(':stateMachine:', ':execution:')}:{job}"
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        try:
            states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            continue
        return True
    # Its record stays until it expires: lists show the job as waiting, all else as running.
    logger.warning("execution not visible yet")
    return False
