"""What a simulation found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mu.prices import (
    EXPRESS_GB_SECOND_USD,
    EXPRESS_USD,
    GB_SECOND_USD,
    INVOCATION_USD,
    READ_USD,
    TRANSITION_USD,
    WRITE_USD,
)
from mu.records import TaskRecord
from mu.simulation.calls import Call, Path, spent_on
from mu.simulation.work import Function


@dataclass(frozen=True)
class Phase:
    """When the calls of a task were made; seconds since the job began.

    Attributes:
        calls: how many, copies included.
        entered: when the first of their states was entered.
        began: when the first got a worker.
        ended: when the last ended.
    """

    calls: int
    entered: float
    began: float
    ended: float


@dataclass(frozen=True)
class Result:
    """A simulated job.

    Attributes:
        seconds: until its end; infinite if it failed.
        calls: all calls that ended, in the order of their ends.
        ahead: calls without work, each of which made an environment or found one.
        functions: as they were given.
        path: what led to the end; see `bottlenecks`.
        transitions: transitions of Standard executions, retries included.
        children: executions that maps began.
        express: how many of them were Express executions.
        express_gb_s: the time of these.
        dispatchers: calls of functions that call others asynchronously.
        dispatched_gb_s: their time.
        reads: requests to S3 that are priced as GET, those of the state machine included.
        writes: as PUT.
        refused: calls that Lambda refused, by cause.
        cold_starts: new environments, by function.
        peak: the most calls at once.
        events: of the history of the execution that runs the flow.
        most_events: of the longest history of an execution.
        problems: what the cloud would not do.
        error: the error that ended the job, or "".
    """

    seconds: float
    calls: list[Call] = field(repr=False)
    ahead: list[Call] = field(repr=False)
    functions: Mapping[str, Function] = field(repr=False)
    path: Path = field(repr=False)
    transitions: int
    children: int
    express: int
    express_gb_s: float
    dispatchers: int
    dispatched_gb_s: float
    reads: int
    writes: int
    refused: Mapping[str, int]
    cold_starts: Mapping[str, int]
    peak: int
    events: int
    most_events: int
    problems: tuple[str, ...]
    error: str

    @cached_property
    def bottlenecks(self) -> dict[str, float]:
        """Seconds of the critical path by what they were spent on, the most first."""
        spent: defaultdict[str, float] = defaultdict(float)
        for kind, _task, seconds in spent_on(self.path):
            if seconds:
                spent[kind] += seconds
        return dict(sorted(spent.items(), key=lambda one: (-one[1], one[0])))

    @cached_property
    def critical_tasks(self) -> dict[str, float]:
        """Seconds of the critical path that calls waited and worked, by task."""
        spent: defaultdict[str, float] = defaultdict(float)
        for _kind, task, seconds in spent_on(self.path):
            if task:
                spent[task] += seconds
        return dict(sorted(spent.items(), key=lambda one: (-one[1], one[0])))

    @property
    def bottleneck(self) -> str:
        """What most of the critical path was spent on; "" if the job failed."""
        return next(iter(self.bottlenecks), "")

    @cached_property
    def invocations(self) -> int:
        """Calls that Lambda began."""
        return sum(call.attempts for call in (*self.calls, *self.ahead)) + self.dispatchers

    @cached_property
    def gb_seconds(self) -> dict[str, float]:
        """Lambda's time in seconds with 1,024 MB, by task."""
        spent: Counter[str] = Counter()
        for call in (*self.calls, *self.ahead):
            spent[call.task] += call.billed_s * call.memory_mb / 1024  # type: ignore[assignment]
        return dict(spent)

    @cached_property
    def copies_gb_s(self) -> float:
        """The part of it that is of second copies."""
        return sum(call.billed_s * call.memory_mb / 1024 for call in self.calls if call.copies)

    def bill(self, architecture: str = "arm64") -> dict[str, float]:
        """The cost in US dollars at list prices, by kind of usage."""
        seconds = sum(self.gb_seconds.values()) + self.dispatched_gb_s
        return {
            "lambda": seconds * GB_SECOND_USD[architecture],
            "invocations": self.invocations * INVOCATION_USD,
            "transitions": self.transitions * TRANSITION_USD,
            "express": self.express * EXPRESS_USD + self.express_gb_s * EXPRESS_GB_SECOND_USD,
            "writes": self.writes * WRITE_USD,
            "reads": self.reads * READ_USD,
        }

    def dollars(self, architecture: str = "arm64") -> float:
        """The cost at list prices, in US dollars."""
        return sum(self.bill(architecture).values())

    @cached_property
    def phases(self) -> dict[str, Phase]:
        """When each task's calls were made, in the order of their beginnings."""
        of_task: defaultdict[str, list[Call]] = defaultdict(list)
        for call in self.calls:
            of_task[call.task].append(call)
        phases = {
            task: Phase(
                len(calls),
                min(call.entered for call in calls),
                min(call.began for call in calls),
                max(call.ended for call in calls),
            )
            for task, calls in of_task.items()
        }
        return dict(sorted(phases.items(), key=lambda one: one[1].began))

    def records(self, architecture: str = "arm64") -> list[TaskRecord]:
        """The calls as engines record them, for `mu.timeline_page`; times are since the start."""
        price = GB_SECOND_USD[architecture] / 1024
        numbers: Counter[str] = Counter()
        found = []
        for call in sorted(self.calls, key=lambda one: (one.began, one.key)):
            dollars = call.billed_s * call.memory_mb * price + call.attempts * INVOCATION_USD
            found.append(call.record(numbers[call.task], dollars))
            numbers[call.task] += 1
        return found
