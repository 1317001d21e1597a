"""What an engine tells about a running flow."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mu.timeline import DONE, Attempt


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task of one run.

    Attributes:
        name: the task's name in the flow.
        number: 0 for the first task of this name to start, then 1, ...
        event: what it was called with.
        started: Unix time in seconds when its (last) attempt began.
        finished: Unix time when it answered, or None while it runs.
        attempts: tries so far, the running one included.
        worker: name of the process that ran it.
        result: what it gave back, once finished.
        error: class name of what it raised for good, or None.
        queued: Unix time when it could have begun, where the engine knows it.
        peak_memory_mib: the most its process had held by then, where it is a process of
            its own.
        marks: Unix times at which it passed what it chose to mark, by name.
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

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object (events and results are small by design)."""
        return asdict(self)

    def attempt(self, task: str) -> Attempt:
        """This record's place in the timeline, once it has ended; `task` tells it from others."""
        assert self.finished is not None
        took_ms = max(0, round(1000 * (self.finished - self.started)))
        return Attempt(task, self.attempts, took_ms, self.error or DONE)

    def with_end(
        self, finished: float, *, result: Any = None, error: str | None = None
    ) -> TaskRecord:
        """This record at its end."""
        return replace(self, finished=finished, result=result, error=error)


class Observer:
    """Listens to a run; every method may be left as it is. Called in the engine's process."""

    def expected(self, task: str, count: int) -> None:
        """`count` more calls of `task` are now known to be needed."""

    def started(self, record: TaskRecord) -> None:
        """An attempt of a task began on a worker."""

    def message(self, task: str, message: dict[str, Any]) -> None:
        """A running task reported something (`Context.report`)."""

    def finished(self, record: TaskRecord) -> None:
        """A task ended, well or (with `record.error`) for good."""
