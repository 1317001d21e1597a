"""Has environments of the pipeline's functions made before a job needs them."""

from __future__ import annotations

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from excamera.job.environments import MOST
from excamera.lifecycle.warming import request_until
from functions import begun
from functions.settings import Settings

CALLS_A_SECOND = 1000
"""This function begins so many: one CPU takes 0.7 ms for each. Environments that are there already
hold their calls for as long, so that each call gets one of its own."""

THREADS = 50
"""Requests at once, each of some 25 ms."""


@dataclass(frozen=True, slots=True)
class WarmSettings(Settings):
    """The settings of the warm function.

    Attributes:
        warmed: the version of each function that jobs of this deployment call, by step.
    """

    warmed: dict[str, str]


logger = Logger()
tracer = Tracer()
settings = WarmSettings.from_environment()
client = boto3.client("lambda", config=Config(max_pool_connections=THREADS))


@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Call functions without waiting for them, so that Lambda makes as many environments.

    Args:
        event: `environments`, how many of each step's function, at most `MOST`, and the `job` that
            needs them.

    Returns:
        How many calls of each step's function Lambda took.
    """
    wanted: dict[str, int] = event["environments"]
    wanted = {step: min(count, MOST) for step, count in wanted.items()}
    steps = [step for step, count in wanted.items() for _ in range(count)]
    several = sum(count for count in wanted.values() if count > 1)
    until = time.time() + several / CALLS_A_SECOND
    payload = json.dumps(request_until(until)).encode()

    def ask(step: str) -> bool:
        try:
            client.invoke(
                FunctionName=settings.warmed[step], InvocationType="Event", Payload=payload
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("not warmed", step=step, error=str(error))
            return False
        return True

    with ThreadPoolExecutor(min(THREADS, max(1, len(steps)))) as pool:
        taken = list(itertools.compress(steps, pool.map(ask, steps)))
    found = {step: taken.count(step) for step in wanted}
    logger.info("asked", job=event.get("job"), wanted=wanted, taken=found)
    return found


begun()
