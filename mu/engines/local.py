"""The local engine: interprets a flow in this process, runs its tasks on a process pool.

Only leaf tasks occupy a worker, never the interpreter. So nested `each` nodes cannot
deadlock, and any number of branches share the pool. Waiting calls are ordered by their
place in the flow, so early batches finish first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from mu.engines.pool import Answer, Call, CallFailed, WorkerPool
from mu.errors import FlowError, TaskFailed, TaskTimeout, WorkerDied
from mu.flow import Each, Node, Parallel, Retry, Sequence, Task, build, check, place
from mu.machine import available_cpus
from mu.records import Observer, TaskRecord
from mu.store.protocol import Store
from mu.task import Event, Json

Given = TypeVar("Given")

_FAILURES: dict[str, type[TaskFailed]] = {"WorkerDied": WorkerDied, "TaskTimeout": TaskTimeout}


class LocalEngine:
    """Runs flows on this machine.

    Args:
        store: what every task is given; other processes must be able to open it.
        functions: registry, from the function names a flow uses to
            ``"package.module:function"``.
        workers: number of processes; None for one per CPU that this process may use.
        observer: hears what happens.
        timeline: key prefix under which the engine stores the last attempt of every task as
            `mu.timeline` describes, with ``<name>-<n>`` for the task; None for no records.
    """

    def __init__(
        self,
        store: Store,
        functions: Mapping[str, str],
        *,
        workers: int | None = None,
        observer: Observer | None = None,
        timeline: str | None = None,
    ) -> None:
        self._store = store
        self._functions = dict(functions)
        self._workers = workers or available_cpus()
        self._observer = observer or Observer()
        self._timeline = timeline

    def run(self, flow: Node, event: Event) -> Json:
        """Run a flow to its end.

        No worker is left when this returns or raises. On SIGTERM it stops the workers and
        raises `SystemExit` with code 143.

        Raises:
            FlowError: the flow is wrong.
            TaskFailed: a task failed for good; all others were stopped.
            KeyboardInterrupt: on Ctrl-C.
        """
        check(flow, self._functions)
        return asyncio.run(_Run(self).run(flow, event))


class _Run:
    """One run of one flow."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._pool = WorkerPool(engine._workers, {"store": engine._store.url})
        self._numbers: Counter[str] = Counter()

    async def run(self, flow: Node, event: Event) -> Json:
        restore = self._stop_on_sigterm()
        try:
            self._expect(flow)
            return await self._node(flow, event, ())
        except asyncio.CancelledError:
            if self._terminated:
                raise SystemExit(128 + signal.SIGTERM) from None
            raise
        finally:
            self._pool.close()
            restore()

    _terminated = False

    def _stop_on_sigterm(self) -> Any:
        loop = asyncio.get_running_loop()
        main = asyncio.current_task()
        before = signal.getsignal(signal.SIGTERM)

        def stop() -> None:
            self._terminated = True
            assert main is not None
            main.cancel()

        try:
            loop.add_signal_handler(signal.SIGTERM, stop)
        except (ValueError, RuntimeError, NotImplementedError):  # not the main thread
            return lambda: None

        def restore() -> None:
            loop.remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, before)

        return restore

    def _expect(self, node: Node, times: int = 1) -> None:
        """Announce the tasks below `node` whose number does not depend on a list."""
        if isinstance(node, Task):
            self._engine._observer.expected(node.name, times)
        elif isinstance(node, Sequence):
            for step in node.steps:
                self._expect(step, times)
        elif isinstance(node, Parallel):
            for branch in node.branches.values():
                self._expect(branch, times)

    async def _node(self, node: Node, event: Event, place_in_flow: tuple[int, ...]) -> Json:
        match node:
            case Task():
                return await self._task(node, event, place_in_flow)
            case Sequence():
                result: Json = event
                for number, step in enumerate(node.steps):
                    result = await self._node(step, result, (*place_in_flow, number))
                return result
            case Parallel():
                results = await _all(
                    self._node(branch, event, (*place_in_flow, number))
                    for number, branch in enumerate(node.branches.values())
                )
                named = dict(zip(node.branches, results, strict=True))
                return place(event, named, node.output)
            case Each():
                return await self._each(node, event, place_in_flow)

    async def _each(self, node: Each, event: Event, place_in_flow: tuple[int, ...]) -> Json:
        items = build(node.items, event)
        if node.items_in_store:
            items = json.loads(self._engine._store.get(items))
        if not isinstance(items, list):
            raise FlowError(f"{node.name}: {node.items} is not a list")
        self._expect(node.body, len(items))
        limit = build(node.concurrency, event)
        slots = asyncio.Semaphore(limit or max(1, len(items)))

        async def one(number: int, item: Json) -> Json:
            async with slots:
                inner = build(node.item, event, item, number)
                return await self._node(node.body, inner, (*place_in_flow, number))

        results = await _all(one(number, item) for number, item in enumerate(items))
        return place(event, {} if node.distributed else results, node.output)

    async def _task(self, node: Task, event: Event, place_in_flow: tuple[int, ...]) -> Json:
        given = event if node.input is None else build(node.input, event)
        record = TaskRecord(node.name, self._numbers[node.name], given, time.time())
        self._numbers[node.name] += 1
        used: Counter[Retry] = Counter()
        while True:
            try:
                record, result = await self._attempt(node, given, record, place_in_flow)
            except CallFailed as failure:
                rule = next((r for r in node.retry if failure.error in r.errors), None)
                if rule is not None and used[rule] < rule.attempts:
                    await asyncio.sleep(rule.pause_s(used[rule], random.random()))
                    used[rule] += 1
                    record = replace(record, attempts=record.attempts + 1)
                    continue
                self._end(record.with_end(time.time(), error=failure.error))
                kind = _FAILURES.get(failure.error, TaskFailed)
                raise kind(
                    node.name,
                    given,
                    failure.error,
                    failure.message,
                    record.attempts,
                    failure.details,
                ) from None
            self._end(record.with_end(time.time(), result=result))
            return place(event, result, node.output)

    async def _attempt(
        self, node: Task, given: Event, record: TaskRecord, place_in_flow: tuple[int, ...]
    ) -> tuple[TaskRecord, Json]:
        observer = self._engine._observer

        # The pool's functions are called in other threads; observers hear all in this one.
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Answer] = loop.create_future()

        def started(worker: str) -> None:
            nonlocal record
            record = replace(record, started=time.time(), worker=worker)
            observer.started(record)

        def set_result(outcome: Answer | CallFailed) -> None:
            if ended.done():
                return
            if isinstance(outcome, CallFailed):
                ended.set_exception(outcome)
            else:
                ended.set_result(outcome)

        call = Call(
            {
                "task": node.name,
                "function": self._engine._functions[node.function],
                "event": given,
                "attempt": record.attempts,
            },
            priority=place_in_flow,
            timeout_s=node.timeout_s,
            started=_in(loop, started),
            reported=_in(loop, lambda message: observer.message(node.name, message)),
            ended=_in(loop, set_result),
        )
        self._pool.submit(call)
        try:
            answer = await ended
        except asyncio.CancelledError:
            self._pool.cancel(call)
            raise
        return replace(record, marks=answer.head["marks"]), answer.head["result"]

    def _end(self, record: TaskRecord) -> None:
        self._engine._observer.finished(record)
        if self._engine._timeline is not None:
            key = record.attempt(f"{record.name}-{record.number}").key(self._engine._timeline)
            self._engine._store.put(key, json.dumps(record.to_json()).encode())


def _in(
    loop: asyncio.AbstractEventLoop, function: Callable[[Given], None]
) -> Callable[[Given], None]:
    """The function, called in the loop's thread; not at all if the loop has ended."""

    def called(given: Given) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(function, given)

    return called


async def _all(work: Iterable[Coroutine[Any, Any, Json]]) -> list[Json]:
    """Run all to the end and return their results in order; stop all at the first failure."""
    tasks = [asyncio.create_task(one) for one in work]
    if not tasks:
        return []
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        failed = next((t for t in tasks if t in done and t.exception() is not None), None)
        if failed is not None:
            failed.result()
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
