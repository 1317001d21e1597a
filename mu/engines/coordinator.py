"""The coordinator: interprets a flow in a thread of its own, and gives its tasks to workers.

Only leaf tasks occupy a worker, never the interpreter. So nested `each` nodes cannot
deadlock, and any number of branches share the workers. Waiting calls are ordered by their
place in the flow, so early batches finish first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mu.engines.call import Answer, Call, CallFailed, Cancelled
from mu.engines.workers import Workers
from mu.errors import FlowError, TaskFailed, TaskTimeout, WorkerDied
from mu.flow import Each, Node, Parallel, Retry, Sequence, Task, build, check, place, walk
from mu.futures import Future
from mu.packing import joined, pack
from mu.records import Facts, Observer, TaskRecord
from mu.task import Event, Json
from mu.timelines import FAILED, STOPPED, SUCCEEDED, State

Given = TypeVar("Given")

LACKS_MEMORY = frozenset({"MemoryError", "WorkerDied"})
"""Errors of tasks that may succeed with more memory."""

FAILURES: dict[str, type[TaskFailed]] = {"WorkerDied": WorkerDied, "TaskTimeout": TaskTimeout}
"""Errors of tasks that are no function's own."""


class Run:
    """A flow under way; `Executor.start` begins one."""

    def __init__(
        self,
        workers: Workers,
        flow: Node,
        event: Event,
        *,
        functions: Mapping[str, str],
        observer: Observer,
        timeline: str | None,
    ) -> None:
        """Begins; see `Executor.start`."""
        check(flow, functions)
        self._workers = workers
        self._flow = flow
        self._observer = observer
        self._functions = {
            node.name: _function(node, functions, workers)
            for node in walk(flow)
            if isinstance(node, Task)
        }
        self._numbers: Counter[str] = Counter()
        self._records: list[TaskRecord] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Json] | None = None
        self.future: Future[Json] = Future()
        self.future.stop = self._stop
        self._timeline = None if timeline is None else workers.timeline(timeline)
        self._thread = threading.Thread(
            target=self._serve, args=(event,), name="mu coordinator", daemon=True
        )
        self._thread.start()

    def result(self, timeout: float | None = None) -> Json:
        """What the flow returns.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            TaskFailed: a task failed for good; all others were stopped.
            TimeoutError: it has not ended in time; it goes on.
            concurrent.futures.CancelledError: it was cancelled.
        """
        return self.future.result(timeout)

    def done(self) -> bool:
        """Whether it has ended, for whatever reason."""
        return self.future.done()

    def cancel(self) -> bool:
        """Stop all tasks; returns False if the flow has ended before."""
        cancelled = self.future.cancel()
        self._thread.join()
        return cancelled

    def gone(self) -> bool:
        """Whether nothing of it is left, as `join` waits for it."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait until nothing of it is left, not even the note of its end."""
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def records(self) -> list[TaskRecord]:
        """What is known of the tasks that have ended so far, in the order of their ends."""
        return list(self._records)

    def cost(self) -> float:
        """Dollars that the tasks have cost so far; 0 on one machine."""
        return sum(record.dollars for record in self._records)

    def logs(self) -> str:
        """The last lines that each task on a stack has printed, after its name and number."""
        return "".join(
            f"--- {record.name} {record.number}\n{record.log.rstrip()}\n"
            for record in self.records()
            if record.log
        )

    def timeline(self, path: str | Path) -> None:
        """Write the timeline of the tasks so far as one HTML page."""
        from mu.timeline_page import write_page

        write_page(Path(path), self.records(), title=self._flow.name)

    # ---- in the thread of the coordinator ----

    def _serve(self, event: Event) -> None:
        try:
            result = asyncio.run(self._run(event))
        except asyncio.CancelledError:
            self._note_end(STOPPED)
            self.future.cancel()
        except BaseException as error:
            self._note_end(FAILED, f"{type(error).__name__}: {error}")
            with contextlib.suppress(Exception):  # cancelled
                self.future.set_exception(error)
        else:
            self._note_end(SUCCEEDED)
            with contextlib.suppress(Exception):  # cancelled
                self.future.set_result(result)

    def _note_end(self, state: State, error: str = "") -> None:
        if self._timeline is not None:
            self._timeline.end(state, error)

    async def _run(self, event: Event) -> Json:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        if self.future.cancelled():
            raise asyncio.CancelledError
        self.future.began = True
        self._expect(self._flow)
        return await self._node(self._flow, event, ())

    def _stop(self) -> None:
        """Cancel the flow from another thread."""
        if self._loop is not None and self._main is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._main.cancel)

    def _expect(self, node: Node, times: int = 1) -> None:
        """Announce the tasks below `node` whose number does not depend on a list."""
        if isinstance(node, Task):
            self._observer.expected(node.name, times)
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
            items = json.loads(self._workers.store.get(items))
        if not isinstance(items, list):
            raise FlowError(f"{node.name}: {node.items} is not a list")
        self._expect(node.body, len(items))
        limit = build(node.concurrency, event)
        slots = asyncio.Semaphore(limit or max(1, len(items)))

        async def one(number: int, item: Json) -> Json:
            async with slots:
                inner = item if node.item is None else build(node.item, event, item, number)
                return await self._node(node.body, inner, (*place_in_flow, number))

        results = await _all(one(number, item) for number, item in enumerate(items))
        return place(event, {} if node.distributed else results, node.output)

    async def _task(self, node: Task, event: Event, place_in_flow: tuple[int, ...]) -> Json:
        given = event if node.input is None else build(node.input, event)
        record = TaskRecord(node.name, self._numbers[node.name], given, time.time())
        memory_mb: int | None = None
        self._numbers[node.name] += 1
        used: Counter[Retry] = Counter()
        while True:
            try:
                record, result = await self._attempt(node, event, record, place_in_flow, memory_mb)
            except _AttemptFailed as failed:
                record, failure = failed.record, failed.failure
                if failure.error in LACKS_MEMORY:
                    more = self._workers.more_memory(memory_mb)
                    if more is not None:
                        memory_mb = more
                        record = replace(record, attempts=record.attempts + 1)
                        continue
                rule = next((r for r in node.retry if failure.error in r.errors), None)
                if rule is not None and used[rule] < rule.attempts:
                    await asyncio.sleep(rule.pause_s(used[rule], random.random()))
                    used[rule] += 1
                    record = replace(record, attempts=record.attempts + 1)
                    continue
                self._end(record.with_end(time.time(), error=failure.error))
                kind = FAILURES.get(failure.error, TaskFailed)
                raise kind(
                    node.name,
                    given,
                    failure.error,
                    failure.message,
                    record.attempts,
                    failure.details,
                    failure.log,
                    record.dollars,
                ) from None
            self._end(record.with_end(time.time(), result=result))
            return place(event, result, node.output)

    async def _attempt(
        self,
        node: Task,
        event: Event,
        record: TaskRecord,
        place_in_flow: tuple[int, ...],
        memory_mb: int | None,
    ) -> tuple[TaskRecord, Json]:
        # The workers' functions are called in other threads; observers hear all in this one.
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Answer] = loop.create_future()
        queued = time.time()

        def started(begun: tuple[str, float]) -> None:
            nonlocal record
            worker, at = begun
            record = replace(record, started=at, finished=None, worker=worker, queued=queued)
            observe(self._observer.started, record)

        def observe(hear: Callable[..., None], *what: Any) -> None:
            # Whatever an observer raises ends the flow, wherever it is raised.
            try:
                hear(*what)
            except Exception as error:
                if not ended.done():
                    ended.set_exception(error)

        def told(facts: Facts) -> None:
            nonlocal record
            record = record.with_facts(facts)

        def set_result(outcome: Answer | CallFailed) -> None:
            nonlocal record
            if ended.done():
                return
            record = replace(record, finished=record.finished or outcome.at)
            if isinstance(outcome, CallFailed):
                ended.set_exception(outcome)
            else:
                ended.set_result(outcome)

        head, body = self._functions[node.name]
        if node.size is not None:
            head = {**head, "size": build(node.size, event)}
        hear = _in(loop, started)
        call = Call(
            {"task": node.name, "event": record.event, "attempt": record.attempts, **head},
            body=body,
            priority=place_in_flow,
            timeout_s=node.timeout_s,
            memory_mb=memory_mb,
            task=node.name,
            attempt=record.attempts,
            started=lambda worker: hear((worker, time.time())),
            reported=_in(loop, lambda message: observe(self._observer.message, node.name, message)),
            told=_in(loop, told),
            ended=_in(loop, set_result),
        )
        try:
            self._workers.submit(call)
        except RuntimeError as error:  # the executor is being shut down
            raise asyncio.CancelledError from error
        try:
            answer = await ended
        except asyncio.CancelledError:
            self._workers.cancel(call)
            raise
        except Cancelled as error:
            raise asyncio.CancelledError from error
        except CallFailed as failure:
            raise _AttemptFailed(replace(record, log=failure.log), failure) from None
        except Exception:  # an observer's
            self._workers.cancel(call)
            raise
        found = replace(record, marks=answer.head["marks"], log=answer.head.get("log", ""))
        return found, answer.head["result"]

    def _end(self, record: TaskRecord) -> None:
        self._records.append(record)
        self._observer.finished(record)
        if self._timeline is not None:
            self._timeline.add(record)


class _AttemptFailed(Exception):
    """An attempt of a task that failed, with what is known of it."""

    def __init__(self, record: TaskRecord, failure: CallFailed) -> None:
        super().__init__(record, failure)
        self.record = record
        self.failure = failure


def _function(
    node: Task, functions: Mapping[str, str], workers: Workers
) -> tuple[dict[str, Any], list[bytes]]:
    """What a worker is told of a task's function: its name, or all of it."""
    if isinstance(node.function, str):
        return {"function": functions.get(node.function, node.function)}, []
    packed = joined(pack(node.function, workers.packages))
    workers.check(packed)
    return {"function_bytes": len(packed)}, [packed]


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
