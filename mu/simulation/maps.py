"""Maps in simulated time: inline, and distributed with each kind of fan-out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mu.fanout import (
    CHOICE_EVENTS,
    ITERATION_EVENTS,
    NOTHING,
    SPREAD,
    STATE_EVENTS,
    TASK_EVENTS,
    UNWANTED_S,
)
from mu.flow import Each, place
from mu.simulation.calls import (
    DISPATCH,
    GATHER,
    READ_ITEMS,
    STATES,
    STRAGGLER,
    TRANSITIONS,
    WORKERS,
    Call,
    Path,
)
from mu.simulation.cloud import Fanout
from mu.simulation.rates import Rate
from mu.simulation.spread import Spread
from mu.simulation.steps import COPY, Done, Scope, Step, key_of
from mu.simulation.templates import template

if TYPE_CHECKING:
    from mu.simulation.run import Run

_DISTRIBUTED_EVENTS = STATE_EVENTS + 2  # MapRunStarted, -Succeeded
_CHILD_EVENTS = 2  # ExecutionStarted, -Succeeded
_LEAST_S = 1e-9
_DISPATCHER_MB = 1769
_EXPRESS_GB = 64 / 1024  # billed in steps of 64 MB, of which a small workflow needs one


class Map:
    """An `Each`, as it is run."""

    def __init__(self, run: Run, node: Each, body: Step) -> None:
        """A map with its body."""
        self.run = run
        self.node = node
        self.body = body
        self._way = None if node.way is None else template(node.way)
        self.fill = None if node.item is None else template(node.item)
        self._items = template(node.items)
        by_path = isinstance(node.concurrency, str)
        self._concurrency = template(node.concurrency) if by_path else None

    def start(self, event: Any, path: Path, key: int, scope: Scope, done: Done) -> None:
        """Run it once; see `Step`."""
        if scope.over:
            return
        moment, path = self.run.entered(scope, path)
        running = _Running(self, event, key, scope, done)
        if self._way is None or scope.asynchronous:
            self.run.at(moment, running.open, path)
        else:
            scope.events += CHOICE_EVENTS
            way = self._way(event, None, None)
            self.run.at(moment, self._chosen, way, running, event, scope, path, done)

    def _chosen(
        self, way: str, running: _Running, event: Any, scope: Scope, path: Path, done: Done
    ) -> None:
        """The state that chooses the map's way ends; the next is entered."""
        run = self.run
        if way == NOTHING:
            done(place(event, {}, self.node.output), path)
            return
        moment, path = run.entered(scope, path)
        if way == SPREAD and run.fanout is Fanout.STANDARD:
            scope.events += TASK_EVENTS
            invoke_s = run.cloud.invoke_s
            run.at(moment + invoke_s, running.spread, (path, STATES, invoke_s))
        else:
            run.at(moment, running.open, path)

    def items(self, event: Any) -> Any:
        """The list."""
        found = self._items(event, None, None)
        return self.run.list_of(found) if self.node.items_in_store else found

    def limit(self, event: Any, count: int) -> int:
        """How many bodies run at once, by the flow."""
        if self._concurrency is not None:
            return min(count, int(self._concurrency(event, None, None)))
        most = self.node.concurrency
        return min(count, most) if isinstance(most, int) else count


class _Running:
    """A map on its way."""

    __slots__ = (
        "_call", "_children", "_count", "_done", "_event", "_full_s", "_full_since", "_hedged",
        "_items", "_key", "_kind", "_left", "_limit", "_live", "_map", "_next", "_opened", "_path",
        "_results", "_run", "_running", "_scope", "_start_s", "_starts",
    )  # fmt: skip

    def __init__(self, of: Map, event: Any, key: int, scope: Scope, done: Done) -> None:
        self._map = of
        self._run = of.run
        self._event = event
        self._key = key
        self._scope = scope
        self._done = done
        self._kind: Fanout | None = of.run.fanout if of.node.distributed else None
        self._call: Call | None = None  # of the function that runs all, if one does
        self._next = self._running = 0
        self._hedged = self._starts = False
        self._full_s = 0.0
        self._full_since: float | None = None
        self._children = Rate(float("inf"))
        self._start_s = 0.0
        self._live: dict[int, list[Scope]] = {}

    def spread(self, path: Path) -> None:
        """A function is called that runs the map."""
        run = self._run
        pool = run.pool(SPREAD, SPREAD)
        call = Call(SPREAD, self._key, {"each": self._map.node.name}, run.now,
                    pool.function.memory_mb)  # fmt: skip
        work = run.work(SPREAD, call.event)
        took, refusal = run.lambda_.begin(run.now, call, pool, work)
        if refusal:
            run.refused[refusal] += 1
            moment, path = run.entered(self._scope, path)
            run.at(moment, self.open, path)
            return
        path = (path, call, 0.0)
        self._call = call
        self._kind = None
        self._scope = Scope(spread=Spread(run))
        run.at(run.now + took, self.open, path)

    def open(self, path: Path) -> None:
        """The map's state is entered."""
        run, cloud, of = self._run, self._run.cloud, self._map
        items = of.items(self._event)
        self._items = items
        self._count = self._left = count = len(items)
        self._limit = of.limit(self._event, count)
        keeps = not of.node.distributed
        self._results: list[Any] = [None] * count if keeps else []
        begin_s = 0.0
        if of.node.items_in_store and self._call is None:
            begin_s += cloud.read_items_s
            path = (path, READ_ITEMS, cloud.read_items_s)
        if self._kind in (Fanout.STANDARD, Fanout.EXPRESS):
            self._scope.events += _DISTRIBUTED_EVENTS
            self._limit = min(self._limit, cloud.most_children)
            standard = self._kind is Fanout.STANDARD
            self._children = Rate(cloud.standard_children if standard else cloud.express_children)
            self._start_s = cloud.child_s
            begin_s += cloud.map_s
            path = (path, DISPATCH, cloud.map_s)
            if of.node.results is not None:
                run.writes += 1
        elif self._kind is Fanout.CALLBACK:
            before_s = self._dispatcher(count)
            begin_s += before_s
            path = (path, DISPATCH, before_s)
            self._children = Rate(cloud.dispatch)
            # Nothing counts how many run: Lambda's queue holds what is too much.
            self._limit = count
        elif not self._scope.asynchronous and self._scope.spread is None:
            begin_s, path = self._nested(count, begin_s, path)
        self._path = path
        run.at(run.now + begin_s, self._begin)

    def _nested(self, count: int, begin_s: float, path: Path) -> tuple[float, Path]:
        """Inline maps in inline maps, as deep as needed if they stand for a distributed one."""
        run, cloud, scope = self._run, self._run.cloud, self._scope
        scope.events += STATE_EVENTS + ITERATION_EVENTS * count
        most = cloud.most_iterations
        if self._kind is None:
            self._limit = min(self._limit, most)
            return begin_s, path
        size = len(json.dumps(list(self._items)))
        if size > cloud.most_bytes:
            run.problem(f"a list has {size:,} bytes, and an event takes {cloud.most_bytes:,}")
        deep, groups = 1, -(-count // most)
        while groups > 1:
            deep += 1
            scope.events += (STATE_EVENTS + ITERATION_EVENTS) * groups
            late = max(run.enter(scope) for _ in range(groups))
            begin_s += late + cloud.state_s
            if late > 0:
                path = (path, TRANSITIONS, late)
            path = (path, STATES, cloud.state_s)
            groups = -(-groups // most)
        self._limit = min(self._limit, most**deep)
        return begin_s, path

    def _dispatcher(self, count: int) -> float:
        """One function calls all; returns the seconds until its first call."""
        run, cloud = self._run, self._run.cloud
        run.dispatchers += 1
        run.dispatched_gb_s += _DISPATCHER_MB / 1024 * count / cloud.dispatch
        # Each worker says that it has ended by a conditional PUT of one object, which it reads.
        run.writes += count
        run.reads += count
        return cloud.invoke_s + cloud.create_s

    def _begin(self) -> None:
        self._opened = self._run.now
        if self._count:
            self._pump(self._opened)
        else:
            self._end(self._path)

    def _pump(self, now: float) -> None:
        """Begin as many bodies as may run, or the next child, which then begins the one after it.

        Args:
            now: since when the next may begin.
        """
        at_once = self._kind is None or self._kind is Fanout.INLINE
        while self._next < self._count and not self._starts:
            if self._running >= self._limit:
                if self._full_since is None:
                    self._full_since = self._run.now
                return
            if self._full_since is not None:
                self._full_s += self._run.now - self._full_since
                self._full_since = None
            number = self._next
            self._next += 1
            self._running += 1
            if at_once:
                self._body(number, self._waited(self._run.now), self._scope, copies=False)
            else:
                self._starts = True
                moment = self._children.take(now) + self._start_s
                self._run.at(moment, self._begun, number, self._waited(moment))

    def _waited(self, moment: float) -> Path:
        """What led to a body's beginning."""
        path = self._path
        if self._full_s:
            # Others ran. What these did is not the cause: a further worker would be the remedy.
            path = (path, WORKERS, self._full_s)
        dispatch = moment - self._opened - self._full_s
        return (path, DISPATCH, dispatch) if dispatch > _LEAST_S else path

    def _begun(self, number: int, path: Path) -> None:
        self._starts = False
        self._child(number, path, copies=False)
        # The next was due as soon as this one was on its way.
        self._pump(self._run.now - self._start_s)

    def _child(self, number: int, path: Path, *, copies: bool) -> None:
        scope = Scope(
            express=self._kind is Fanout.EXPRESS,
            asynchronous=self._kind is Fanout.CALLBACK,
            copies=copies,
            events=_CHILD_EVENTS,
            began=self._run.now,
        )
        if copies and number not in self._live:
            return
        self._live.setdefault(number, []).append(scope)
        if self._kind is not Fanout.CALLBACK:
            self._run.children += 1
        if scope.express:
            self._run.express += 1
        self._body(number, path, scope, copies=copies)

    def _body(self, number: int, path: Path, scope: Scope, *, copies: bool) -> None:
        item = self._items[number]
        fill = self._map.fill
        event = item if fill is None else fill(self._event, item, number)
        key = key_of(self._key, number) + (COPY if copies else 0)
        self._map.body.start(
            event, path, key, scope, lambda result, path: self._ended(number, scope, result, path)
        )

    def _ended(self, number: int, scope: Scope, result: Any, path: Path) -> None:
        own = scope is not self._scope
        if own:
            self._close(scope)
            if scope.over:
                return  # the other of two has ended before
            for one in self._live.pop(number):
                one.over = True
        self._left -= 1
        self._running -= 1
        if self._results:
            self._results[number] = result
        if not self._left:
            self._end(path)
            return
        if self._next < self._count:
            self._pump(self._run.now)
        elif own and self._run.hedge and not self._hedged:
            self._hedge()

    def _close(self, scope: Scope) -> None:
        run = self._run
        if not scope.express:
            run.close(scope)
            return
        lasted = run.now - scope.began
        run.express_gb_s += lasted * _EXPRESS_GB
        if lasted > run.cloud.express_s:
            run.problem(f"an Express execution lasts longer than {run.cloud.express_s:g} s")

    def _hedge(self) -> None:
        """Copy the items that still run, if they are few and no call waits for a worker.

        A copy would take the place of one that waits, and delay it.
        """
        run = self._run
        if run.waiting:
            return
        few = max(1, int(run.hedge * self._count))
        if self._left > min(few, self._limit // 2) or len(self._live) < self._left:
            return
        self._hedged = True
        path = (self._path, STRAGGLER, run.now - self._opened)
        for number in list(self._live):
            moment = self._children.take(run.now) + self._start_s
            copy = (path, DISPATCH, moment - run.now)
            run.at(moment, lambda number=number, copy=copy: self._child(number, copy, copies=True))

    def _end(self, path: Path) -> None:
        run, cloud = self._run, self._run.cloud
        gather_s = 0.0
        if not self._count:
            pass  # nothing to gather
        elif self._kind in (Fanout.STANDARD, Fanout.EXPRESS):
            gather_s = cloud.gather_s
        elif self._kind is Fanout.CALLBACK:
            gather_s = cloud.callback_s
        result: Any = {} if self._map.node.distributed else self._results
        placed = place(self._event, result, self._map.node.output)
        if self._call is not None:
            self._returned(self._call, placed, path)
        elif gather_s:
            run.at(run.now + gather_s, self._done, placed, (path, GATHER, gather_s))
        else:
            self._done(placed, path)

    def _returned(self, call: Call, placed: Any, path: Path) -> None:
        """The function that has run the map answers."""
        run = self._run
        pool = run.pool(SPREAD, SPREAD)
        call.billed_s += run.now - self._opened
        call.ended = run.now
        run.reads += int((run.now - self._opened) / UNWANTED_S)
        run.lambda_.end(call, pool)
        run.calls.append(call)
        self._done(placed, path)
