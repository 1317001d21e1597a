"""Task functions for the tests of mu's flows; workers import this module."""

from __future__ import annotations

import os
import signal
import time

from mu import Context, Event


class Busy(Exception):
    """An error that a retry rule names."""


def square(event: Event, context: Context) -> Event:
    """The square of `x`."""
    context.report({"seen": event["x"]})
    return {"y": event["x"] ** 2, "worker": context.worker}


def total(event: Event, context: Context) -> Event:
    """The sum of squares."""
    return {"sum": sum(result["y"] for result in event["squares"])}


def copy(event: Event, context: Context) -> Event:
    """Copy an object."""
    context.store.put(event["to"], context.store.get(event["from"]))
    return {}


def fail(event: Event, context: Context) -> Event:
    """Raise an error."""
    raise ValueError(f"cannot do {event['x']}")


def busy_once(event: Event, context: Context) -> Event:
    """Raise an error at the first attempt only."""
    if context.attempt == 1:
        raise Busy("come back later")
    return {"attempt": context.attempt}


def die(event: Event, context: Context) -> Event:
    """Be killed, as by the kernel for lack of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def sleep(event: Event, context: Context) -> Event:
    """Run long, leaving word of it in the store."""
    context.store.put(f"sleeping/{os.getpid()}", b"")
    time.sleep(event.get("seconds", 60))
    return {}


FUNCTIONS = {
    name: f"tests.unit.task_functions:{name}"
    for name in ("square", "total", "copy", "fail", "busy_once", "die", "sleep")
}
