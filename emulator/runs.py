"""Running executions of any stack, and waiting for their effects."""

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from emulator.emulator import Emulator

# Long enough for a slow machine; a hang still ends the caller.
PATIENCE_S = 300.0

_names = (f"run-{number}" for number in itertools.count())


def until(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Waits until `condition` returns something true, and returns that."""
    deadline, pause_s = time.monotonic() + patience_s, 0.02
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(pause_s)
        # Asking takes computing time from what is waited for.
        pause_s = min(2 * pause_s, 0.1)
    raise AssertionError("It never happened.")


def quiet(emulator: Emulator) -> Counter[str]:
    """Waits until no function runs and no more requests arrive; returns their count."""
    before = Counter[str]()

    def is_quiet() -> bool:
        nonlocal before
        before = emulator.requests()
        time.sleep(1)
        # A function whose environment starts sends none for a while, and then some.
        return not emulator.calls() and emulator.requests() == before

    until(is_quiet)
    return before


def start(emulator: Emulator, machine: str, data: Any, name: str = "") -> str:
    """Starts an execution, under a new name unless one is given; returns its ARN."""
    answer = emulator.client("stepfunctions").start_execution(
        stateMachineArn=machine, name=name or next(_names), input=json.dumps(data)
    )
    return str(answer["executionArn"])


def ended(emulator: Emulator, execution: str) -> dict[str, Any]:
    """Waits for an execution to end; returns its description."""

    def description() -> Any:
        found = emulator.client("stepfunctions").describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    found: dict[str, Any] = until(description)
    return found


def run(emulator: Emulator, machine: str, data: Any) -> dict[str, Any]:
    """Runs an execution to its end and returns its description."""
    return ended(emulator, start(emulator, machine, data))


def output(description: dict[str, Any]) -> Any:
    """Returns the output of an execution, which must have succeeded."""
    assert description["status"] == "SUCCEEDED", description
    return json.loads(description["output"])


def history(emulator: Emulator, execution: str) -> list[dict[str, Any]]:
    """Returns all events of an execution."""
    pages = emulator.client("stepfunctions").get_paginator("get_execution_history")
    return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]


def billed(log: str) -> list[float]:
    """Returns the GB-seconds of each finished call in a function's log."""
    calls = re.findall(r"Billed Duration: (\d+) ms\s+Memory Size: (\d+) MB", log)
    return [int(milliseconds) * int(megabytes) / 1024e3 for milliseconds, megabytes in calls]
