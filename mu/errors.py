"""Errors of mu.

MuError
├── FlowError            the flow itself is wrong: unknown function, bad path, bad items
├── StoreError
│   ├── NoSuchKey        also a KeyError
│   ├── StoreUnavailable the store did not answer, or is busy: trying again may help
│   ├── StoreDenied      the store refuses: a right is missing
│   ├── ObjectChanged    an object is not the version that was asked for
│   └── ObjectExists     a conditional write found something already there
└── TaskFailed           a task raised; carries its name, event and the error's class name
    ├── WorkerDied       the worker process ended while it ran the task
    └── TaskTimeout      the task ran longer than its `timeout_s`
"""

from __future__ import annotations

from typing import Any


class MuError(Exception):
    """Root of mu's errors."""


class FlowError(MuError):
    """The flow cannot be run as described."""


class StoreError(MuError):
    """A store could not do what was asked."""


class NoSuchKey(StoreError, KeyError):
    """No object is stored under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"nothing is stored under {self.key!r}"


class StoreUnavailable(StoreError):
    """The store could not be reached, or asked to slow down, for longer than we waited."""


class StoreDenied(StoreError):
    """The store refuses the request: a right is missing."""


class ObjectChanged(StoreError):
    """The object was replaced since it was first looked at."""


class ObjectExists(StoreError):
    """Something is stored under this key that may not be replaced."""


class TaskFailed(MuError):
    """A task failed for good: every retry its flow allows is used up.

    Attributes:
        task: the task's name in the flow.
        event: the event it was called with.
        error: class name of what it raised, the name that `Retry` rules match.
        message: what the exception said.
        attempts: how often the task was tried.
        details: traceback text of the worker, or "".
    """

    def __init__(
        self,
        task: str,
        event: dict[str, Any],
        error: str,
        message: str,
        attempts: int = 1,
        details: str = "",
    ) -> None:
        super().__init__(task, event, error, message, attempts, details)
        self.task = task
        self.event = event
        self.error = error
        self.message = message
        self.attempts = attempts
        self.details = details

    def __str__(self) -> str:
        tries = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        return f"task {self.task} failed{tries}: {self.error}: {self.message} (event {self.event})"


class WorkerDied(TaskFailed):
    """The process that ran the task ended before it answered."""


class TaskTimeout(TaskFailed):
    """The task ran longer than its flow allows; its worker was stopped."""
