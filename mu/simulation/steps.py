"""The nodes of a flow, ready to be run in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mu.fanout import RETRY_EVENTS, STATE_EVENTS, TASK_EVENTS
from mu.flow import Task, place
from mu.simulation.calls import (
    DISPATCH,
    FAILURE,
    S3_RATE,
    STATES,
    STRAGGLER,
    TRANSITIONS,
    Call,
    Path,
)
from mu.simulation.templates import template
from mu.simulation.work import Work

if TYPE_CHECKING:
    from mu.simulation.run import Run
    from mu.simulation.spread import Spread

COPY = 1 << 40
"""Added to the key of what is done a second time."""

Done = Callable[[Any, Path], None]
"""Called with the result of a node and with what led to its end."""


class Scope:
    """The execution that a node runs in.

    Attributes:
        express: whether it is an Express execution.
        asynchronous: whether it is none: its tasks are called asynchronously.
        copies: whether it does again what another does.
        over: whether what it does is no longer needed.
        events: of its history.
        began: second at which it began.
        spread: who begins its calls, if it is none but one function.
    """

    __slots__ = ("asynchronous", "began", "copies", "events", "express", "over", "spread")

    def __init__(
        self, *, express: bool = False, asynchronous: bool = False, copies: bool = False,
        events: int = 0, began: float = 0.0, spread: Spread | None = None,
    ) -> None:  # fmt: skip
        """An execution that begins."""
        self.express = express
        self.asynchronous = asynchronous
        self.copies = copies
        self.over = False
        self.events = events
        self.began = began
        self.spread = spread


class Step(Protocol):
    """A node that can be run."""

    def start(self, event: Any, path: Path, key: int, scope: Scope, done: Done) -> None:
        """Run it once.

        Args:
            event: what it is given.
            path: what led to its start.
            key: distinguishes it from other runs of the same node.
            scope: the execution.
            done: what to do at its end.
        """


def key_of(key: int, number: int) -> int:
    """The key of the run of that number within another run."""
    return key * 1_000_003 + number + 1


class SequenceStep:
    """A `Sequence`, as it is run."""

    def __init__(self, steps: list[Step]) -> None:
        """One step after another."""
        self._steps = steps

    def start(self, event: Any, path: Path, key: int, scope: Scope, done: Done) -> None:
        """Run it once; see `Step`."""
        steps, last = self._steps, len(self._steps) - 1

        def begin(number: int, event: Any, path: Path) -> None:
            if number == last:
                steps[number].start(event, path, key, scope, done)
            else:
                steps[number].start(
                    event, path, key, scope, lambda result, path: begin(number + 1, result, path)
                )

        begin(0, event, path)


class ParallelStep:
    """A `Parallel`, as it is run."""

    def __init__(self, run: Run, output: str | None, branches: Mapping[str, Step]) -> None:
        """Branches side by side."""
        self._run = run
        self._output = output
        self._branches = branches

    def start(self, event: Any, path: Path, key: int, scope: Scope, done: Done) -> None:
        """Run it once; see `Step`."""
        moment, path = self._run.entered(scope, path)
        scope.events += STATE_EVENTS
        results: dict[str, Any] = {}

        def ended(name: str, result: Any, path: Path) -> None:
            results[name] = result
            if len(results) == len(self._branches):
                whole = {name: results[name] for name in self._branches}
                done(place(event, whole, self._output), path)

        def open_() -> None:
            for number, (name, step) in enumerate(self._branches.items()):
                of_branch = key_of(key, number)
                step.start(
                    event, path, of_branch, scope,
                    lambda result, path, name=name: ended(name, result, path),  # type: ignore[misc]
                )  # fmt: skip

        self._run.at(moment, open_)


class TaskStep:
    """A `Task`, as it is run."""

    def __init__(self, run: Run, node: Task) -> None:
        """A call of the task's function."""
        self._run = run
        self._name = node.name
        self._output = node.output
        self._fill = None if node.input is None else template(node.input)
        self._pool = run.pool(node.name, node.function)
        self._memory_mb: int = self._pool.function.memory_mb

    def start(self, event: Any, path: Path, key: int, scope: Scope, done: Done) -> None:
        """Run it once; see `Step`."""
        run, cloud = self._run, self._run.cloud
        if scope.over:
            return
        given = event if self._fill is None else self._fill(event, None, None)
        call = Call(self._name, key, given, run.now, self._memory_mb)
        call.copies = scope.copies
        if scope.spread is not None:
            before = scope.spread.next(run.now) - run.now
            call.waits.append((DISPATCH, before))
        elif scope.asynchronous:
            before = cloud.queue_s
            call.waits.append((DISPATCH, before))
        else:
            late = run.enter(scope)
            scope.events += TASK_EVENTS
            before = cloud.state_s + cloud.invoke_s
            call.waits.append((STATES, before))
            call.entered += late + cloud.state_s
            if late > 0:
                call.waits.append((TRANSITIONS, late))
                before += late
        work = run.work(self._name, given)
        run.waiting += 1
        if scope.spread is not None:
            done = scope.spread.watched(self, call, work, event, path, scope, done)
        run.at(run.now + before, self._try, call, work, event, path, scope, done)

    def copy(
        self, first: Call, work: Work, event: Any, path: Path, scope: Scope, done: Done
    ) -> None:
        """Make a call a second time, beside the first."""
        run = self._run
        call = Call(self._name, first.key + COPY, first.event, run.now, self._memory_mb)
        call.copies = True
        assert scope.spread is not None
        before = scope.spread.next(run.now) - run.now
        call.waits = [(STRAGGLER, run.now - first.began), (DISPATCH, before)]
        run.waiting += 1
        run.at(run.now + before, self._try, call, work, event, path, scope, done)

    def _try(
        self, call: Call, work: Work, event: Any, path: Path, scope: Scope, done: Done
    ) -> None:
        run = self._run
        run.waiting -= 1
        if scope.over:
            return
        now = run.now
        took, refusal = run.lambda_.begin(now, call, self._pool, work)
        if not refusal:
            if took > run.cloud.timeout_s:
                run.problem(f"a call of {self._name} takes longer than {run.cloud.timeout_s:g} s")
            run.at(now + took, self._returns, call, work, event, path, scope, done)
            if work.ahead is not None:
                asks_at = max(now, now + took - work.ahead.left_s)
                run.at(asks_at, run.ask, work.ahead.environments)
            return
        run.refused[refusal] += 1
        if call.copies:
            return
        busy = run.cloud.queue_busy if scope.asynchronous else run.cloud.busy
        before = call.refusals
        if before >= busy.attempts:
            run.error = run.error or busy.errors[0]
            return
        fraction = run.chance.fraction(self._name, call.key, call.refusals)
        pause = busy.pause_s(before, fraction)
        call.refusals += 1
        self._again(pause, refusal, call, work, event, path, scope, done)

    def _again(
        self, pause: float, why: str, call: Call, work: Work, event: Any, path: Path, scope: Scope,
        done: Done,
    ) -> None:  # fmt: skip
        run = self._run
        wait = pause
        if scope.spread is not None:
            wait = scope.spread.next(run.now + pause) - run.now
        elif not scope.asynchronous:
            # A retry is a transition, too.
            wait += run.enter(scope) + run.cloud.invoke_s
            scope.events += RETRY_EVENTS
        call.waits.append((why, wait))
        run.waiting += 1
        run.at(run.now + wait, self._try, call, work, event, path, scope, done)

    def _returns(
        self, call: Call, work: Work, event: Any, path: Path, scope: Scope, done: Done
    ) -> None:
        run = self._run
        written = run.lambda_.written(run.now, work) if call.spent else run.now
        if written > run.now:
            late = written - run.now
            call.spent.append((S3_RATE, late))
            call.billed_s += late
            run.at(written, self._ended, call, work, event, path, scope, done)
        else:
            self._ended(call, work, event, path, scope, done)

    def _ended(
        self, call: Call, work: Work, event: Any, path: Path, scope: Scope, done: Done
    ) -> None:
        run = self._run
        run.lambda_.end(call, self._pool)
        if call.spent:
            call.ended = run.now
            run.calls.append(call)
            done(place(event, work.result, self._output), (path, call, 0.0))
            return
        died, before = run.cloud.died, call.attempts - 1
        if scope.over or call.copies or before >= died.attempts:
            run.calls.append(call)
            if not call.copies:
                run.error = run.error or died.errors[0]
            return
        fraction = run.chance.fraction(self._name, call.key, -call.attempts)
        pause = died.pause_s(before, fraction)
        call.waits.append((FAILURE, run.now - call.began))
        self._again(pause, FAILURE, call, work, event, path, scope, done)
