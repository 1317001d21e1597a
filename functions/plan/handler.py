"""Step 1: looks at the uploaded video and writes the plan of its job."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import boto3
from botocore.exceptions import ClientError

from excamera.job.flow import Limits
from excamera.steps.plan import plan
from functions.settings import StoreSettings
from functions.task import logger, task_handler
from mu import Context, Event, Json


@dataclass(frozen=True, slots=True)
class PlanSettings(StoreSettings):
    """The settings of the plan step.

    Attributes:
        batches_at_once: batches of a job under way at the same time.
        chunks_at_once: chunks of one batch under way at the same time.
    """

    batches_at_once: int
    chunks_at_once: int


settings = PlanSettings.from_environment()
functions = boto3.client("lambda")


def plan_within_limits(event: Event, context: Context) -> Json:
    """Plan a job within what the stack and the account allow to run at the same time."""
    limits = Limits(settings.batches_at_once, settings.chunks_at_once, concurrency())
    return plan({**event, "limits": asdict(limits)}, context)


def concurrency() -> int | None:
    """How many functions the account runs at once, without those that are reserved."""
    try:
        found = functions.get_account_settings()["AccountLimit"]
    except ClientError:
        logger.exception("the account's limits are unknown")
        return None
    return int(found["UnreservedConcurrentExecutions"])


handler = task_handler("plan", plan_within_limits)
