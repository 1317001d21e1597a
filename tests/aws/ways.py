"""Jobs whose spans and batches are begun by one function, or by child executions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.runs import history
from mu.fanout import DISTRIBUTED, SPREAD


@contextmanager
def spread_up_to(stack: Deployed, calls: int) -> Iterator[None]:
    """Lets one function begin maps of so many calls, in jobs that begin now; 0 for none."""
    variables = stack.configuration("index")["Environment"]["Variables"]
    changed = {**variables, "SPREAD_CALLS": str(calls)}
    with stack.changed("index", Environment={"Variables": changed}):
        yield


def entered(emulator: Emulator, arn: str) -> list[str]:
    """Returns the names of the states that an execution has entered, in order."""
    events: list[dict[str, Any]] = history(emulator, arn)
    details = (event.get("stateEnteredEventDetails") for event in events)
    return [one["name"] for one in details if one]


def ways(emulator: Emulator, arn: str, name: str = "batches") -> list[str]:
    """Returns how a map of a job ran, once for each start of the job."""
    found = entered(emulator, arn)
    every = (SPREAD, DISTRIBUTED)
    return [one.removeprefix(f"{name} ") for one in found if one in {f"{name} {w}" for w in every}]
