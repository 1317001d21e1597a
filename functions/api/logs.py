"""The log lines of a job, from the log groups of the functions that worked for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

import boto3

from excamera.api.answers import Job
from excamera.api.logs import JobLog, LogLine
from excamera.job.steps import NUMBERS
from excamera.lifecycle.log_lines import line_of
from mu import at_once

_MOST_LINES = 1000
_MOST_OF_A_GROUP = 4000
_LONGEST = 4000  # characters: an answer of API Gateway has at most 10 MB


def job_log(job: Job, groups: Mapping[str, str]) -> JobLog:
    """The last lines about a job; if one of its tasks failed, only that task's.

    Args:
        job: the job.
        groups: the log group of each step's function.
    """
    steps, place = list(groups), {}
    failure = job.failure
    if failure is not None and failure.step is not None and failure.step in groups:
        steps = [failure.step]
        place = {name: getattr(failure, name, None) for name in NUMBERS}
        place = {name: number for name, number in place.items() if number is not None}
    found = [
        one for some in at_once(lambda step: _logged(job, groups[step]), steps) for one in some
    ]
    found = [(time, line) for time, line in found if place.items() <= line.items()]
    found.sort(key=itemgetter(0))
    return JobLog(
        lines=[_told(time, line) for time, line in found[-_MOST_LINES:]],
        cut=len(found) > _MOST_LINES,
    )


def _logged(job: Job, group: str) -> list[tuple[int, dict[str, Any]]]:
    pages = (
        boto3.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=group,
            startTime=round(datetime.fromisoformat(job.created).timestamp() * 1000),
            filterPattern=f'"{job.id}"',
            PaginationConfig={"MaxItems": _MOST_OF_A_GROUP},
        )
    )
    lines = (line_of(event) for page in pages for event in page["events"])
    return [one for one in lines if one is not None and one[1].get("job") == job.id]


def _told(time: int, line: Mapping[str, Any]) -> LogLine:
    exception = line.get("exception")
    return LogLine(
        time=time / 1000,
        level=str(line.get("level", "")),
        message=str(line.get("message", ""))[:_LONGEST],
        step=line.get("service"),
        **{name: line[name] for name in ("span", "batch", "share") if name in line},
        exception=None if exception is None else str(exception)[-_LONGEST:],
    )
