"""Errors of mu.

MuError
├── FlowError            the flow itself is wrong: unknown function, bad path, bad items
├── StoreError
│   ├── NoSuchKey        also a KeyError
│   ├── StoreUnavailable the store did not answer, or is busy; a retry may help
│   ├── StoreDenied      the store refuses the request: a right is missing
│   ├── StoreFull        there is no room for more
│   ├── ObjectChanged    an object is no longer the version that was looked up
│   ├── UploadGone       an upload in parts was ended, or lacks a part
│   └── ObjectExists     a conditional write found an object in its place
├── StackError           a stack is not there, lacks something, or AWS does not answer
│   └── NoSuchJob        the stack knows no job of this name
├── PackageError         a declared package is not to be had for the workers, or not here
├── NotEnoughConcurrency a gang has more members than can run at once
├── CommandError         a command is wrong as described
│   ├── CommandNotFound  there is no such program, or it does not run here
│   ├── CommandFailed    it ended with an exit code other than 0, or by a signal
│   ├── OutputMissing    it ended well, but did not write what it should
│   └── ScratchFull      there is no room for its files
├── MessageError
│   ├── ReceiveTimeout   nothing came in time; also a TimeoutError
│   ├── PeerFailed       the sender has ended without sending
│   ├── Deadlock         members of a gang wait for each other in a circle
│   ├── NondeterministicTask  two attempts of a task sent different bytes
│   ├── ChannelClosed    what carries the messages is gone
│   └── ChannelRefused   it refuses: its URL, the user, a right, or its memory
└── TaskFailed           a task raised; has its name, event and the error's class name
    ├── WorkerDied       the worker process ended while it ran the task
    └── TaskTimeout      the task ran longer than its `timeout_s`
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any


class MuError(Exception):
    """Root of mu's errors."""


class FlowError(MuError):
    """The flow cannot be run as described."""


class StoreError(MuError):
    """A store could not carry out a request."""


class NoSuchKey(StoreError, KeyError):
    """No object is stored under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"nothing is stored under {self.key!r}"


class StoreUnavailable(StoreError):
    """The store was unreachable, or asked to slow down, for longer than we waited."""


class StoreDenied(StoreError):
    """The store refuses the request: a right is missing."""


class StoreFull(StoreError):
    """The store has no room for more."""


class ObjectChanged(StoreError):
    """The object was replaced after it was looked up."""


class UploadGone(StoreError):
    """An upload in parts was completed or aborted, or lacks a part."""


class ObjectExists(StoreError):
    """An object that may not be replaced is stored under this key."""


class StackError(MuError):
    """There is no such stack, it lacks what is asked for, or AWS does not answer."""


class NoSuchJob(StackError):
    """The stack knows no job of this name."""


class PackageError(MuError):
    """A declared package is not to be had for the workers, or cannot be imported here."""


class NotEnoughConcurrency(MuError):
    """A gang has more members than can run at the same time; none of them has begun."""


class CommandError(MuError):
    """A command cannot be run as described, or did not end well."""


class CommandNotFound(CommandError):
    """There is no such program, or it does not run here."""


class CommandFailed(CommandError):
    """A program ended with an exit code other than 0, or by a signal.

    Attributes:
        program: its name.
        code: the exit code, or the negative number of the signal.
        log: the last lines that it printed.
    """

    def __init__(self, program: str, code: int, log: str = "") -> None:
        super().__init__(program, code, log)
        self.program = program
        self.code = code
        self.log = log

    def __str__(self) -> str:
        return f"{self.program} {self._how()}{_last_lines(self.log)}"

    def _how(self) -> str:
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        try:
            return f"was ended by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"was ended by signal {-self.code}"


class OutputMissing(CommandError):
    """A program ended well, but did not write all of its outputs.

    Attributes:
        program: its name.
        outputs: names of what is missing.
        log: the last lines that it printed.
    """

    def __init__(self, program: str, outputs: Sequence[str], log: str = "") -> None:
        super().__init__(program, outputs, log)
        self.program = program
        self.outputs = tuple(outputs)
        self.log = log

    def __str__(self) -> str:
        return f"{self.program} did not write {', '.join(self.outputs)}{_last_lines(self.log)}"


class ScratchFull(CommandError):
    """There is no room for a command's files."""


def _last_lines(log: str, count: int = 5) -> str:
    lines = [line for line in log.splitlines() if line.strip()][-count:]
    return ": " + " | ".join(lines) if lines else ""


class MessageError(MuError):
    """A message could not be sent or received."""


class ReceiveTimeout(MessageError, TimeoutError):
    """Nothing came in time."""


class PeerFailed(MessageError):
    """The member of the gang that should have sent a message has ended without sending it.

    Attributes:
        rank: its rank.
    """

    def __init__(self, rank: int, message: str) -> None:
        super().__init__(rank, message)
        self.rank = rank

    def __str__(self) -> str:
        return str(self.args[1])


class Deadlock(MessageError):
    """Members of a gang wait for each other in a circle."""


class NondeterministicTask(MessageError):
    """Two attempts of a task sent different bytes at the same point."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return (
            f"two attempts of a task sent different messages to {self.address}: a task that is "
            "tried again must send the same bytes"
        )


class ChannelClosed(MessageError):
    """What carries the messages is gone."""


class ChannelRefused(MessageError):
    """What carries the messages refuses: its URL is wrong, a right is missing, or it is full."""


class TaskFailed(MuError):
    """A task failed for good: it used up every retry that it has.

    The task's own exception is the `__cause__`, if it can be pickled.

    Attributes:
        task: the task's name in the flow, or the function's.
        event: the event it was called with; None for a function's call.
        error: class name of the exception, which `Retry` rules match.
        message: what the exception said.
        attempts: number of attempts.
        details: traceback text of the worker, or "".
        log: the last lines that the last attempt printed; "" on one machine, where they went
            where the program's own lines go.
        dollars: what its attempts have cost on a stack.
    """

    def __init__(
        self,
        task: str,
        event: dict[str, Any] | None,
        error: str,
        message: str,
        attempts: int = 1,
        details: str = "",
        log: str = "",
        dollars: float = 0.0,
    ) -> None:
        super().__init__(task, event, error, message, attempts, details, log, dollars)
        self.task = task
        self.event = event
        self.error = error
        self.message = message
        self.attempts = attempts
        self.details = details
        self.log = log
        self.dollars = dollars

    def __str__(self) -> str:
        tries = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        event = "" if self.event is None else f" (event {self.event})"
        return f"task {self.task} failed{tries}: {self.error}: {self.message}{event}"


class WorkerDied(TaskFailed):
    """The process that ran the task ended without an answer."""


class TaskTimeout(TaskFailed):
    """The task ran longer than its flow allows, and its worker was stopped."""
