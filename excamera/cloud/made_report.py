"""Reports that a stack makes of its own jobs."""

from __future__ import annotations

import time
from typing import Any

import urllib3

from excamera.cloud.api import Api, http, pause
from excamera.errors import CloudUnavailable, NoReport

_LOOK_EVERY_S = 1.0
_ATTEMPTS = 6


def made_report(api: Api, job: str) -> dict[str, Any]:
    """Have a stack make the report of a job, and wait until it is there; its addresses.

    Raises:
        NoSuchJob: the stack has no such job.
        ApiRefused: it has not ended, or was stopped.
        NoReport: it cannot be made; the message says why.
    """
    told: dict[str, Any] = api.ask_for(f"/jobs/{job}/report")
    while told["state"] == "making":
        time.sleep(_LOOK_EVERY_S)
        told = api.get(f"/jobs/{job}/report")
    if told["state"] == "failed":
        raise NoReport(f"{job}: there is no report: {told['message']}")
    return told


def downloaded(url: str) -> bytes:
    """What is at one of these addresses.

    Raises:
        CloudUnavailable: S3 does not answer.
    """
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            pause(attempt)
        try:
            answer = http().request("GET", url)
        except urllib3.exceptions.HTTPError as error:
            problem = str(error)
            continue
        if answer.status == 200:
            return answer.data
        problem = f"status {answer.status}: {answer.data[:1000].decode(errors='replace')}"
    raise CloudUnavailable(f"the report cannot be read: {problem}")
