"""Turns, as functions see them: how much room there is, and how to say that it grew."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from excamera.job.packing import capacity_of
from excamera.lifecycle.admission import EVENT_SOURCE, TURN

logger = Logger()

_KEPT_S = 60.0
_known: tuple[float, int] | None = None


def capacity(workers_at_once: int) -> int | None:
    """How many functions all jobs together may run at once; None if it cannot be asked.

    Args:
        workers_at_once: the stack's own limit; 0 for none.
    """
    global _known
    if _known is None or time.monotonic() - _known[0] > _KEPT_S:
        try:
            found = _client("lambda").get_account_settings()["AccountLimit"]
        except ClientError:
            logger.exception("the account's limits are unknown")
            return workers_at_once or None
        _known = time.monotonic(), int(found["UnreservedConcurrentExecutions"])
    return capacity_of(_known[1], workers_at_once)


def call_admit(stack: str) -> None:
    """Send the event for which the function `admit` looks whether a job can start.

    The function cannot be called directly: it needs the state machine, which needs the functions
    that call it. If the event cannot be sent, the schedule calls it some minutes later.

    Args:
        stack: name of the stack.
    """
    entry = {"Source": EVENT_SOURCE, "DetailType": TURN, "Detail": json.dumps({"stack": stack})}
    try:
        answer = _client("events").put_events(Entries=[entry])
    except (BotoCoreError, ClientError):
        logger.exception("no event for admit")
        return
    if answer["FailedEntryCount"]:
        logger.error("no event for admit", entries=answer["Entries"])


@cache
def _client(service: str) -> Any:
    return boto3.client(service)
