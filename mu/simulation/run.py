"""Interprets a flow in simulated time."""

from __future__ import annotations

import contextlib
import gc
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mu.copies import SHARE
from mu.errors import FlowError
from mu.flow import Node
from mu.simulation.calls import EVENT, STATES, TRANSITIONS, Call, Path
from mu.simulation.cloud import CLOUD, Cloud, Fanout
from mu.simulation.functions import Chance, Lambda
from mu.simulation.rates import Rate
from mu.simulation.result import Result
from mu.simulation.steps import Scope
from mu.simulation.tree import step_of
from mu.simulation.work import Function, Work

ASKING_MB = 1769
"""Memory of the function that has environments made."""

_NOTHING = Work()


def simulate(
    flow: Node,
    event: Mapping[str, Any],
    work: Callable[[str, Any], Work],
    functions: Mapping[str, Function],
    *,
    stored: Mapping[str, Sequence[Any]] | None = None,
    cloud: Cloud = CLOUD,
    fanout: Fanout = Fanout.STANDARD,
    hedge: float = 0.0,
    copies: float = SHARE,
    seed: int = 0,
    before_s: float = 0.0,
    early: Mapping[str, int] | None = None,
) -> Result:
    """Run a flow in simulated time.

    Args:
        flow: what engines would run.
        event: what it would be given.
        work: from a task's name and its event to what the call has to do.
        functions: the function of each task, by the task's name.
        stored: lists that distributed maps read from the store, by their keys.
        cloud: what services allow and add.
        fanout: how the bodies of distributed maps are begun.
        hedge: copy the items of a distributed map that still run when at most this share of them is
            left and no call waits for a worker; 0 for no copies. Of two that do the same, the first
            to end counts; the other goes on and is paid for. A copy is given up if there is no free
            place for it. Distributed maps themselves make no copies.
        copies: the same for the calls of a task in a map that one function runs, which does; see
            `mu.copies`.
        seed: of all that is left to chance.
        before_s: seconds of what comes before the flow, such as the event that starts it.
        early: environments that are asked for as the flow begins, by task.

    Raises:
        FlowError: a path leads to nothing, a task has no function, or a list is not stored.
        ValueError: `hedge` is not between 0 and 1.
    """
    if not 0 <= hedge <= 1:
        raise ValueError(f"hedge is a share between 0 and 1, not {hedge}")
    run = Run(work, functions, stored or {}, cloud, fanout, hedge, copies, seed)
    if early:
        run.at(before_s, run.ask, early)
    return run.result(flow, dict(event), before_s)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Looks for no garbage in cycles meanwhile: there is none, but long paths to look through."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Run:
    """A simulation on its way: the clock, what is to come, and all that is counted."""

    def __init__(
        self,
        work: Callable[[str, Any], Work],
        functions: Mapping[str, Function],
        stored: Mapping[str, Sequence[Any]],
        cloud: Cloud,
        fanout: Fanout,
        hedge: float,
        copies: float,
        seed: int,
    ) -> None:
        """Begins at second 0; the arguments are those of `simulate`."""
        self.work = work
        self.stored = stored
        self.cloud = cloud
        self.fanout = fanout
        self.hedge = hedge
        self.copies = copies
        self.chance = Chance(seed)
        self.functions = functions
        self.lambda_ = Lambda(cloud, functions, self.chance)
        self.now = 0.0
        self.calls: list[Call] = []
        self.refused: Counter[str] = Counter()
        self.problems: dict[str, None] = {}
        self.transitions = self.children = self.express = self.reads = self.writes = (
            self.most_events
        ) = 0
        self.dispatched_gb_s = self.express_gb_s = 0.0
        self.dispatchers = 0
        self.error = ""
        self.waiting = 0  # calls that have no worker yet
        self.ahead: list[Call] = []
        self._rate = Rate(cloud.transitions, cloud.transitions_burst)
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._ended: tuple[float, Path] | None = None

    def at(self, moment: float, do: Callable[..., None], *arguments: Any) -> None:
        """Do something at a moment, after all that was to be done then before."""
        self._number += 1
        heapq.heappush(self._heap, (moment, self._number, do, arguments))

    def enter(self, scope: Scope) -> float:
        """Enter a state; returns how much later than usual the rate of transitions allows it."""
        if scope.express:
            return 0.0
        self.transitions += 1
        return self._rate.take(self.now) - self.now

    def entered(self, scope: Scope, path: Path) -> tuple[float, Path]:
        """Enter a state that is no task; returns its moment, and the path to it."""
        if scope.asynchronous or scope.spread is not None:
            return self.now, path
        late = self.enter(scope)
        state_s = self.cloud.state_s
        if late > 0:
            path = (path, TRANSITIONS, late)
        return self.now + late + state_s, (path, STATES, state_s)

    def ask(self, environments: Mapping[str, int]) -> None:
        """Have environments made, by tasks: one function calls each of them without waiting.

        A call that is refused is given up: it would come too late.
        """
        cloud, number = self.cloud, 0
        self.dispatchers += 1
        self.dispatched_gb_s += ASKING_MB / 1024 * sum(environments.values()) / cloud.asks
        # The queue has the asking function's own call, then those that it makes.
        begins = self.now + 2 * cloud.queue_s
        for task, count in environments.items():
            for _ in range(count):
                self.at(begins + number / cloud.asks, self._make, task, number)
                number += 1

    def _make(self, task: str, number: int) -> None:
        pool = self.pool(task, task)
        call = Call(task, -1 - number, {}, self.now, pool.function.memory_mb)
        took, refusal = self.lambda_.begin(self.now, call, pool, _NOTHING)
        if refusal:
            self.refused[refusal] += 1
            return
        self.ahead.append(call)
        self.at(self.now + took, self.lambda_.end, call, pool)

    def problem(self, text: str) -> None:
        """Note something that the cloud would not do; each is noted once."""
        self.problems[text] = None

    def close(self, scope: Scope) -> None:
        """Note how long the history of an execution has become."""
        if scope.express or scope.asynchronous:
            return
        self.most_events = max(self.most_events, scope.events)
        if scope.events > self.cloud.most_events:
            self.problem(
                f"an execution has {scope.events:,} events, and its history takes"
                f" {self.cloud.most_events:,}"
            )

    def pool(self, task: str, function: Any) -> Any:
        """The environments of a task's function.

        Raises:
            FlowError: nothing is known of the function.
        """
        for name in (task, function):
            if isinstance(name, str) and name in self.lambda_.pools:
                return self.lambda_.pools[name]
        raise FlowError(f"task {task}: its function's memory is not given")

    def list_of(self, key: str) -> Sequence[Any]:
        """A list that a map reads from the store.

        Raises:
            FlowError: the store has no such list.
        """
        if key not in self.stored:
            raise FlowError(f"{key!r} is not among the stored lists")
        self.reads += 1
        return self.stored[key]

    def result(self, flow: Node, event: Any, before_s: float) -> Result:
        """Run to the end; what goes on beyond it, such as copies, is counted too."""
        first = step_of(self, flow)
        # ExecutionStarted and ExecutionSucceeded.
        scope = Scope(events=2)

        def last(_result: Any, path: Path) -> None:
            moment, path = self.entered(scope, path)
            scope.events += 2
            self.close(scope)
            self._ended = moment, path

        path: Path = (None, EVENT, before_s) if before_s else None
        self.at(before_s, first.start, event, path, 0, scope, last)
        heap, pop = self._heap, heapq.heappop
        with _without_collection():
            while heap:
                self.now, _, do, arguments = pop(heap)
                do(*arguments)
        seconds, path = self._ended or (float("inf"), None)
        return Result(
            seconds=seconds,
            calls=self.calls,
            ahead=self.ahead,
            functions=self.functions,
            path=path,
            transitions=self.transitions,
            children=self.children,
            express=self.express,
            express_gb_s=self.express_gb_s,
            dispatchers=self.dispatchers,
            dispatched_gb_s=self.dispatched_gb_s,
            reads=self.reads + self.lambda_.reads,
            writes=self.writes + self.lambda_.writes,
            refused=dict(self.refused),
            cold_starts={name: pool.cold_starts for name, pool in self.lambda_.pools.items()},
            peak=self.lambda_.peak,
            events=scope.events,
            most_events=self.most_events,
            problems=tuple(self.problems),
            error=self.error,
        )
