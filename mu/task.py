"""What a task function is given, and how it is found by name."""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mu.errors import FlowError
from mu.store.protocol import Store

Json = Any
"""Anything `json.dumps` takes: the type of events and results."""

Event = dict[str, Json]


def _ignore(_message: Event) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one call of a task function.

    Attributes:
        store: where the function reads and writes bulk data.
        task: the task's name in the flow.
        attempt: 1 for the first attempt, then 2, ...
        worker: a name for the process (or Lambda environment) that runs the call.
        report: sends a small JSON message to the observer of the flow while the task runs.
        deadline: Unix time at which the engine ends the call; None if it does not say.
        marks: Unix times at which the call passed the points that it marked, by name.
    """

    store: Store
    task: str = ""
    attempt: int = 1
    worker: str = ""
    report: Callable[[Event], None] = field(default=_ignore)
    deadline: float | None = None
    marks: dict[str, float] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        """Note in the timeline that the call has reached a point, such as "fetched"."""
        self.marks[name] = time.time()


TaskFunction = Callable[[Event, Context], Json]


def call_task(function: Callable[..., Json], event: Event, context: Context) -> Json:
    """Call a task function; one that takes a single argument is given the event alone."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # not to be had of every function in C
        return function(event, context)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    several = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    if several or sum(one.kind in positional for one in parameters) > 1:
        return function(event, context)
    return function(event)


def resolve(reference: str) -> TaskFunction:
    """Import the function that ``"package.module:name"`` names.

    Raises:
        FlowError: the reference is malformed or does not name a function.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise FlowError(f"{reference!r} is not of the form 'package.module:function'")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise FlowError(f"cannot import task function {reference!r}: {error}") from error
    if not callable(function):
        raise FlowError(f"{reference!r} is not callable")
    found: TaskFunction = function
    return found
