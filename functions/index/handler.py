"""Looks at the uploaded video and learns its frames, within the limits of the account."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import boto3
from botocore.exceptions import ClientError

from excamera.job.flow import Limits
from excamera.steps.index import index
from functions.settings import StoreSettings
from functions.task import logger, task_handler
from mu import Context, Event, Json


@dataclass(frozen=True, slots=True)
class IndexSettings(StoreSettings):
    """The settings of the index step.

    Attributes:
        batches_at_once: batches of a job under way at the same time.
        chunks_at_once: chunks of one batch under way at the same time.
        span_pixels: see `excamera.job.cut.spans`.
    """

    batches_at_once: int
    chunks_at_once: int
    span_pixels: int


settings = IndexSettings.from_environment()
functions = boto3.client("lambda")


def index_within_limits(event: Event, context: Context) -> Json:
    """Index a source, and tell what the stack and the account allow to run at the same time."""
    limits = Limits(settings.batches_at_once, settings.chunks_at_once, concurrency())
    given = {"limits": asdict(limits), "span_pixels": settings.span_pixels}
    return index({**event, **given}, context)


def concurrency() -> int | None:
    """How many functions the account runs at once, without those that are reserved."""
    try:
        found = functions.get_account_settings()["AccountLimit"]
    except ClientError:
        logger.exception("the account's limits are unknown")
        return None
    return int(found["UnreservedConcurrentExecutions"])


handler = task_handler("index", index_within_limits)
