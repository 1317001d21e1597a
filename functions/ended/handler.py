"""Announces how a job ended, to a topic and to the account's event bus, and aborts its upload."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.lifecycle import catalogue, ending, learning, spending
from excamera.lifecycle.result_uploads import abort_uploads
from excamera.price.workers import Workers
from functions import begun
from functions.settings import Settings
from mu import open_store


@dataclass(frozen=True, slots=True)
class EndedSettings(Settings):
    """The settings of the ended function.

    Attributes:
        work_bucket: name of the bucket with the jobs' objects.
        jobs_topic_arn: of the topic for the ends of jobs.
        stack: name of the stack.
        memory_mb: memory of each function, by its name.
        architecture: "arm64" or "x86_64", of every function.
        max_usd_per_month: the most that all jobs of a month may cost; 0 for no limit.
    """

    work_bucket: str
    jobs_topic_arn: str
    stack: str
    memory_mb: dict[str, int]
    architecture: str
    max_usd_per_month: float


logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = EndedSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")
sns = boto3.client("sns")
events = boto3.client("events")


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Handle EventBridge's event of an execution's end; one that comes twice is announced once."""
    detail = event["detail"]
    if ending.is_of_child(detail):
        logger.info("no job", execution=detail["executionArn"])
        return
    abort_uploads(store, Keys(detail["name"]))
    ended = ending.end_of_job(
        detail,
        store,
        stack=settings.stack,
        memory_mb=settings.memory_mb,
        architecture=settings.architecture,
    )
    notice = ended.notice
    logger.append_keys(job=notice["job"], status=notice["status"])
    if ending.is_told(notice, store):
        logger.info("announced before")
        ending.forget_if_cancelled(notice, store)
        return
    catalogue.record(notice, detail, store)
    if settings.max_usd_per_month:
        spent = notice.get("cost_usd", 0.0) - ending.told_cost_usd(notice, store)
        spending.settle(notice["job"], max(0.0, spent), store, datetime.now(UTC))
    _learn(ended, detail)
    _publish(notice)
    ending.remember(notice, store)
    _measure(notice, ending.seconds(detail))
    logger.info("job ended", notice=notice)


def _learn(ended: ending.Ended, detail: dict[str, Any]) -> None:
    """Correct the stack's model by a job; whatever happens, its end is announced."""
    workers = Workers(settings.memory_mb, settings.architecture)
    try:
        lesson = learning.lesson_of_end(ended, detail, workers)
        if lesson is not None:
            learning.learn(lesson, store, settings.architecture)
            logger.info("learned", told=lesson.told, errors=lesson.errors)
    except Exception:
        logger.warning("nothing is learned from this job", exc_info=True)


def _publish(notice: ending.Notice) -> None:
    body = json.dumps(notice)
    sns.publish(
        TopicArn=settings.jobs_topic_arn,
        Message=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in ending.attributes(notice).items()
        },
    )
    entry = {
        "Source": ending.SOURCE,
        "DetailType": ending.DETAIL_TYPE,
        "Detail": body,
        "Resources": [notice["execution"]],
    }
    answer = events.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"EventBridge did not take the event: {answer['Entries']}")


def _measure(notice: ending.Notice, took_s: float | None) -> None:
    if "cost_usd" in notice:
        metrics.add_metric("JobCost", MetricUnit.NoUnit, notice["cost_usd"])
    if "error" in notice:
        metrics.add_dimension("error", notice["error"])
        metrics.add_metric("JobsFailed", MetricUnit.Count, 1)
        return
    metrics.add_metric("JobsSucceeded", MetricUnit.Count, 1)
    if took_s is not None:
        metrics.add_metric("JobSeconds", MetricUnit.Seconds, took_s)
    if "frames" in notice["result"]:
        metrics.add_metric("Frames", MetricUnit.Count, notice["result"]["frames"])


begun()
