"""One call in simulated time, and the chain of waits and calls that led to a moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mu.records import TaskRecord

# What the time on the critical path was spent on.
EVENT = "event"
STATES = "state machine"
TRANSITIONS = "transition rate"
READ_ITEMS = "reading items"
DISPATCH = "dispatch"
WORKERS = "too few workers"
GATHER = "gather"
RAMP = "ramp"
CONCURRENCY = "concurrency"
CALL_RATE = "call rate"
FAILURE = "failures"
COLD = "cold start"
COMPUTE = "compute"
STRAGGLER = "stragglers"
S3 = "S3"
S3_RATE = "S3 rate"


class Call:
    """One call of a task, with all its attempts.

    Attributes:
        task: the task's name.
        key: distinguishes the calls of a task: the same for the same item in each simulation.
        event: what it is called with.
        entered: second at which its state was entered.
        waits: what it waited for until its last attempt began: kind and seconds.
        began: second at which its last attempt got an environment.
        spent: what the last attempt spent its time on: kind and seconds.
        ended: second at which it ended; infinite if it did not.
        worker: number of its environment; -1 if it never had one.
        attempts: of which a worker began.
        billed_s: seconds that Lambda bills for all attempts.
        memory_mb: of its function.
        copies: whether it is a second copy of a slow call.
    """

    __slots__ = (
        "attempts", "began", "billed_s", "copies", "ended", "entered", "event", "key", "memory_mb",
        "refusals", "spent", "task", "waits", "worker",
    )  # fmt: skip

    def __init__(self, task: str, key: int, event: Any, entered: float, memory_mb: int) -> None:
        """A call whose state is entered."""
        self.task = task
        self.key = key
        self.event = event
        self.entered = entered
        self.memory_mb = memory_mb
        self.waits: list[tuple[str, float]] = []
        self.spent: list[tuple[str, float]] = []
        self.began = self.ended = float("inf")
        self.worker = -1
        self.attempts = self.refusals = 0
        self.billed_s = 0.0
        self.copies = False

    def record(self, number: int, dollars: float) -> TaskRecord:
        """The call as engines record it; times are seconds since the job began."""
        ready = self.began + sum(seconds for kind, seconds in self.spent if kind == COLD)
        return TaskRecord(
            name=self.task,
            number=number,
            event=self.event if isinstance(self.event, dict) else {"event": self.event},
            started=self.began,
            finished=self.ended,
            attempts=max(1, self.attempts),
            worker=f"{self.task} {self.worker}",
            queued=self.entered,
            memory_mb=self.memory_mb,
            dollars=dollars,
            marks={"ready": ready},
        )


Path = tuple[Any, "str | Call", float] | None
"""What led to a moment: the path before, then a call or the kind of a wait, then seconds of it."""


def spent_on(path: Path) -> Iterator[tuple[str, str, float]]:
    """Each kind, the task whose call it was spent for if any, and the seconds; from the end."""
    while path is not None:
        path, what, seconds = path
        if isinstance(what, Call):
            for kind, took in (*what.spent, *what.waits):
                yield kind, what.task, took
        else:
            yield what, "", seconds
