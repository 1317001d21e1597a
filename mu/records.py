"""What an engine reports about a running flow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from mu.timeline import DONE, Attempt


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stack tells of an attempt.

    Attributes:
        worker: name of the environment.
        began: Unix time when the call began.
        ended: Unix time when it ended.
        memory_mb: of its worker.
        dollars: what its time has cost.
        received: Unix time when its worker was called.
        fetched: Unix time when its worker had its share.
    """

    worker: str = ""
    began: float = 0.0
    ended: float = 0.0
    memory_mb: int = 0
    dollars: float = 0.0
    received: float = 0.0
    fetched: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskView:
    """A call that has not ended, as its executor sees it now.

    Attributes:
        name: of the function.
        number: the call's, or the rank of a gang's member.
        attempt: 1 for the first, then 2, ...
        since: Unix time since when it has waited for a worker, or run.
        worker: who runs it; "" while it waits for one.
        waits_for: rank of the member whose message it waits for; None if it waits for none, or
            not for long.
    """

    name: str
    number: int
    attempt: int
    since: float
    worker: str = ""
    waits_for: int | None = None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task of one run.

    Attributes:
        name: the task's name in the flow.
        number: 0 for the first task of this name to start, then 1, ...
        event: what it was called with.
        started: Unix time in seconds when its (last) attempt began.
        finished: Unix time when it answered, or None while it runs.
        attempts: number of attempts so far, including one that runs.
        worker: name of the process that ran it.
        result: what it returned, once finished.
        error: class name of the exception that ended it, or None.
        queued: Unix time when it could have begun, if the engine knows it.
        peak_memory_mib: the most memory that its process had held by then, if the process
            is its own.
        marks: Unix times at which it passed the points that it marked, by name.
        memory_mb: memory of its worker on a stack.
        dollars: what its attempts have cost there.
        log: the last lines that its last attempt printed there.
    """

    name: str
    number: int
    event: dict[str, Any]
    started: float
    finished: float | None = None
    attempts: int = 1
    worker: str = ""
    result: Any = None
    error: str | None = None
    queued: float | None = None
    peak_memory_mib: int | None = None
    marks: dict[str, float] = field(default_factory=dict)
    memory_mb: int | None = None
    dollars: float = 0.0
    log: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object (events and results are small by design)."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: bytes) -> TaskRecord:
        """The record that `to_json` returned, from its JSON; unknown fields are ignored."""
        names = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in json.loads(data).items() if name in names})

    def attempt(self, task: str) -> Attempt:
        """This record's place in the timeline, under the name `task`; it must have ended."""
        assert self.finished is not None
        took_ms = max(0, round(1000 * (self.finished - self.started)))
        return Attempt(task, self.attempts, took_ms, self.error or DONE)

    def with_facts(self, facts: Facts) -> TaskRecord:
        """This record with what a stack tells of its last attempt."""
        return replace(
            self,
            started=facts.began,
            finished=facts.ended,
            worker=facts.worker,
            memory_mb=facts.memory_mb,
            dollars=self.dollars + facts.dollars,
            marks={**self.marks, "received": facts.received, "fetched": facts.fetched},
        )

    def with_end(
        self, finished: float, *, result: Any = None, error: str | None = None
    ) -> TaskRecord:
        """This record at its end, which a stack may have told before."""
        return replace(self, finished=self.finished or finished, result=result, error=error)


class Observer:
    """Listens to a run, in the engine's process; a subclass overrides what it needs.

    An exception that it raises ends the run.
    """

    def expected(self, task: str, count: int) -> None:
        """The engine has learned that it needs `count` more calls of `task`."""

    def started(self, record: TaskRecord) -> None:
        """An attempt of a task began on a worker."""

    def message(self, task: str, message: dict[str, Any]) -> None:
        """A running task reported something (`Context.report`)."""

    def finished(self, record: TaskRecord) -> None:
        """A task succeeded, or failed for good (`record.error`)."""
