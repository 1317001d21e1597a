"""A call of an executor, from when it is asked for to what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mu.records import Facts
from mu.store.protocol import Buffer


class CallFailed(Exception):
    """A call returned no result; `error` is the class name of the reason.

    `log` has the last lines that it printed, if its workers keep them; `at` is the Unix time when
    this was known.
    """

    def __init__(self, error: str, message: str, details: str = "", log: str = "") -> None:
        super().__init__(error, message, details, log)
        self.error = error
        self.message = message
        self.details = details
        self.log = log
        self.at = time.time()


class Cancelled(CallFailed):
    """Nobody wants the result any more."""

    def __init__(self) -> None:
        super().__init__("Cancelled", "the call was cancelled")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call returned.

    Attributes:
        head: its `result`, if that is JSON, and its `marks`.
        body: its packed result, if it is not.
        at: Unix time when it came, before its worker began another call.
    """

    head: dict[str, Any]
    body: memoryview
    at: float = field(default_factory=time.time, compare=False)


@dataclass(eq=False, slots=True)
class Call:
    """One call, from when it is asked for to its end. Its functions are called in other threads.

    Attributes:
        head: what the worker is told, as JSON.
        body: packed arguments.
        ended: is given the answer, or why there is none; called once.
        started: is given the worker's name when the call begins. It must return at once, and not
            call the pool.
        reported: is given what the task reports while it runs.
        told: is given what else is known of it, before `ended`, by workers of a stack.
        priority: the call with the lowest goes first.
        timeout_s: seconds after which its worker is stopped.
        short: whether a worker may be sent the call, if it is small, while it still runs another
            one of this kind. If it then does not come to it, another worker gets it.
        memory_mb: what it needs at least; None for what workers have. Those of one machine share
            all of it.
        task: what it is called in records.
        attempt: 1 for the first, then 2, ...
        over: whether it has ended, or nobody wants it; then it does not begin.
    """

    head: dict[str, Any]
    ended: Callable[[Answer | CallFailed], None]
    body: Sequence[Buffer] = ()
    started: Callable[[str], None] = lambda _: None
    reported: Callable[[dict[str, Any]], None] = lambda _: None
    told: Callable[[Facts], None] = lambda _: None
    priority: tuple[int, ...] = ()
    timeout_s: float | None = None
    short: bool = False
    memory_mb: int | None = None
    task: str = ""
    attempt: int = 1
    over: bool = False
