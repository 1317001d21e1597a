"""The log lines of a job, from the log groups of the stack's functions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from typing import Any

from excamera.cloud.account import Account, Stack, explained
from excamera.job.steps import NUMBERS, STEP_NAMES
from excamera.lifecycle.log_lines import line_of

Line = dict[str, Any]


def lines(
    account: Account, stack: Stack, job: dict[str, Any], steps: tuple[str, ...] = ()
) -> list[Line]:
    """The log lines of a job, in order of time.

    If a task failed the job, only the lines of that task, unless `steps` asks for more.

    Args:
        account: the stack's account.
        stack: the stack whose functions logged.
        job: the job as the API describes it.
        steps: the steps whose lines are wanted.

    Raises:
        NotAllowed: the credentials need logs:FilterLogEvents.
    """
    failure = job["failure"] or {}
    place: dict[str, Any] = {}
    if not steps:
        steps = (failure["step"],) if failure.get("step") in STEP_NAMES else STEP_NAMES
        place = {name: failure[name] for name in NUMBERS
                 if failure.get(name) is not None}  # fmt: skip
    functions = stack.functions()
    found = [
        (time, line)
        for step in steps
        for time, line in _logged(account, functions[step], job)
        if line.get("job") == job["id"] and place.items() <= line.items()
    ]
    return [line for _, line in sorted(found, key=itemgetter(0))]


def _logged(account: Account, function: str, job: dict[str, Any]) -> Iterator[tuple[int, Line]]:
    """Lines with their times in Unix milliseconds.

    A line's own time is that of its writing; many lines may share the time of their event.
    """
    with explained("logs:FilterLogEvents"):
        configuration = account.client("lambda").get_function_configuration(FunctionName=function)
        pages = account.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=configuration["LoggingConfig"]["LogGroup"],
            startTime=round(datetime.fromisoformat(job["created"]).timestamp() * 1000),
            filterPattern=f'"{job["id"]}"',
        )  # fmt: skip
        for page in pages:
            for event in page["events"]:
                found = line_of(event)
                if found is not None:
                    yield found
