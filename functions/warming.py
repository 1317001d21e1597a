"""How functions have environments of others made, before their job needs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

logger = Logger()


class Warming:
    """Calls of the function `warm`, for which nobody waits.

    Args:
        function: the version of it that belongs to the caller's; "" if the stack has none.
    """

    def __init__(self, function: str) -> None:
        self._function = function
        self._lambda: Any = None

    def begin(self, job: str, environments: Mapping[str, int]) -> None:
        """Have environments made for a job; if that fails, the job waits for them as it needs them.

        Args:
            job: its name.
            environments: how many of each step's function.
        """
        if not (self._function and environments):
            return
        payload = json.dumps({"job": job, "environments": dict(environments)}).encode()
        try:
            self._lambda = self._lambda or boto3.client("lambda")
            self._lambda.invoke(
                FunctionName=self._function, InvocationType="Event", Payload=payload
            )
        except (BotoCoreError, ClientError):
            logger.exception("no environments are made ahead")
