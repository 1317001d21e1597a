"""How functions begin to remove the objects of cancelled jobs."""

from __future__ import annotations

import json

import boto3


class Sweeps:
    """Calls of the function `sweep`, which answers nobody."""

    def __init__(self, function: str) -> None:
        """Takes the function's ARN."""
        self._function = function
        self._lambda = boto3.client("lambda")

    def begin(self, job: str) -> None:
        """Have a cancelled job swept; two sweeps of the same job do no harm."""
        self._lambda.invoke(
            FunctionName=self._function,
            InvocationType="Event",
            Payload=json.dumps({"job": job}),
        )
