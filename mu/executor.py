"""Functions on many workers, as `concurrent.futures` has them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import queue
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from mu.commands.command import Command
from mu.commands.task import CommandDone, Into, Work, perform, plan
from mu.engines.calls import Failure
from mu.engines.coordinator import LACKS_MEMORY, Run
from mu.engines.here import MachineWorkers
from mu.engines.pool import Answer, Call, CallFailed, Cancelled
from mu.engines.workers import Workers
from mu.errors import NotEnoughConcurrency, PeerFailed, TaskFailed, TaskTimeout, WorkerDied
from mu.flow import Node, Retry
from mu.futures import Future, results
from mu.messages.comm import DONE
from mu.packing import joined, pack, unpack
from mu.records import Facts, Observer, TaskRecord
from mu.store.protocol import REQUESTS_AT_ONCE, Store
from mu.task import Event

Result = TypeVar("Result")

Finish = Callable[[Any, float], Any]
"""Is given a result and what it has cost."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

HERE = "here"

_FOR_GOOD = frozenset({"NotEnoughConcurrency", "NondeterministicTask"})
"""Trying again does not help."""

_FAILURES: dict[str, type[TaskFailed]] = {"WorkerDied": WorkerDied, "TaskTimeout": TaskTimeout}


@dataclass(slots=True)
class _Item:
    """One call of a function that has not ended.

    Attributes:
        number: tells it from the executor's other calls.
        arguments: positional and named.
        future: its result.
        attempts: how many have begun.
        member: what a worker is told if this is a member of a gang.
        over: is told how it ended, for good: by None or by what went wrong.
        memory_mb: what it needs, as is known since it has lacked some.
        dollars: what its attempts have cost so far.
        finish: makes the future's result of the function's, here; None if they are the same.
    """

    number: int
    arguments: Arguments
    future: Future[Any]
    attempts: int = 0
    member: Mapping[str, Any] | None = None
    over: Callable[[str | None], None] = lambda _: None
    memory_mb: int | None = None
    dollars: float = 0.0
    finish: Finish | None = None


class Executor(concurrent.futures.Executor):
    """Runs functions on workers.

    Leaving its `with` block waits for all calls, or ends them if an exception leaves it.
    """

    def __init__(
        self,
        on: str = HERE,
        *,
        workers: int | None = None,
        memory: int | None = None,
        per_worker: int = 1,
        architecture: str | None = None,
        retries: int = 0,
        timeout: float | None = None,
        store: Store | None = None,
    ) -> None:
        """Starts an executor.

        Args:
            on: where the workers are: "here" for processes of this machine, "stack:NAME" for the
                cloud functions of a deployed stack.
            workers: the most that run at once; None for one per CPU, or for what the account has.
            memory: of a stack's worker in MB; None for the smallest. A call that lacks memory is
                tried again on the next larger worker, which does not count as one of `retries`.
            per_worker: how many calls share a worker of a stack at the same time.
            architecture: of a stack's workers, "arm64" or "x86_64"; None for the stack's own.
            retries: how many times a call that failed is tried again.
            timeout: limit for one attempt of a call, in seconds; None for none.
            store: where tasks on this machine keep bulk data; None for a folder that goes with
                the executor. A stack has its own.

        Raises:
            StackError: there is no such stack, or it has no such workers.
        """
        self._workers = _workers(on, workers, memory, per_worker, architecture, store)
        self._gangs = itertools.count()
        self._numbers = itertools.count()
        self._records: list[TaskRecord] = []
        self._finishing = concurrent.futures.ThreadPoolExecutor(
            REQUESTS_AT_ONCE, thread_name_prefix="mu result"
        )
        self._retry = Retry((), retries)
        self._timeout_s = timeout
        self._lock = threading.Lock()
        self._open: set[concurrent.futures.Future[Any]] = set()
        self._none_open = threading.Condition(self._lock)
        self._shut = False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)

    def submit(
        self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[Result]:
        """Call a function on a worker.

        Returns:
            A `Future`. Its `result` raises `TaskFailed` if the function raised; the function's
            own exception is the cause.

        Raises:
            Exception: whatever the function or an argument raises if it cannot be packed.
        """
        item = _Item(next(self._numbers), (args, kwargs), self._new_future())
        self._begin(self._function(fn), [item])
        return item.future

    def map(
        self,
        fn: Callable[..., Result] | Command,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        ordered: bool = True,
        return_exceptions: bool = False,
        into: Into | None = None,
    ) -> Iterator[Result]:
        """Call a function for each item, or each tuple of items, as `map` does.

        Args:
            fn: the function; or a command, which runs for each item of one iterable and whose
                results are `CommandDone`s.
            iterables: items; the shortest ends. Those of a command are paths or ``s3://`` URLs, or
                mappings from the names of its inputs to these.
            timeout: seconds from now after which iterating raises `TimeoutError`.
            chunksize: how many items travel to a worker together.
            ordered: whether results come in the order of the items, or as they are there.
            return_exceptions: whether a failure comes in its place as a `TaskFailed`, or is
                raised and ends the rest.
            into: where a command's outputs go; see `mu.commands.task.plan`.

        Raises:
            CommandError: a command, its items and `into` do not fit together.
        """
        if chunksize < 1:
            raise ValueError(f"chunksize is at least 1, not {chunksize}")
        finishes: Iterator[Finish | None] = itertools.repeat(None)
        if isinstance(fn, Command):
            (given,) = iterables
            function, works, finishes = self._performing(fn, list(plan(fn, list(given), into)))
            iterables = (works,)
        elif into is not None:
            raise ValueError("only the outputs of a command go `into` files")
        else:
            function = self._function(fn)
        until = None if timeout is None else time.monotonic() + timeout
        futures: list[Future[Result]] = []
        arrived: queue.SimpleQueue[concurrent.futures.Future[Result]] = queue.SimpleQueue()
        items = zip(*iterables, strict=False)
        while chunk := list(itertools.islice(items, chunksize)):
            calls = [
                _Item(
                    next(self._numbers),
                    (arguments, {}),
                    self._new_future(),
                    finish=next(finishes),
                )
                for arguments in chunk
            ]
            futures += [call.future for call in calls]
            if not ordered:
                for call in calls:
                    call.future.add_done_callback(arrived.put)
            self._begin(function, calls)
        return results(futures, None if ordered else arrived, until, return_exceptions)

    def _performing(
        self, command: Command, works: Sequence[Work]
    ) -> tuple[_Function, Sequence[Work], Iterator[Finish]]:
        """What workers call for a command, with what, and what is done with each result."""
        staging = self._workers.staging()
        if staging is None:
            function = self._function(functools.partial(perform, command.with_absolute_files()))
            return function, works, itertools.repeat(_with_dollars)

        def finish(wanted: Mapping[str, str], done: CommandDone, dollars: float) -> CommandDone:
            return _with_dollars(staging.brought_back(done, wanted), dollars)

        function = self._function(functools.partial(perform, staging.command(command)))
        finishes = (functools.partial(finish, work.outputs) for work in works)
        return function, staging.works(works), finishes

    def gang(self, fn: Callable[..., Result], items: Iterable[Any]) -> list[Result]:
        """Run members of a gang, one for each item, all at the same time.

        A member that fails is started again from its beginning, if `retries` allow it: it sends the
        same messages again, and receives again what it received.

        Args:
            fn: is called with a `Comm` and the member's item.
            items: one for each member.

        Returns:
            What the members returned, in the order of items.

        Raises:
            NotEnoughConcurrency: there are more members than workers; none has begun.
            TaskFailed: of the member that failed first for a reason of its own; the others have
                ended, too.
        """
        given = list(items)
        if not given:
            return []
        gang = f"gangs/{next(self._gangs)}"
        function = self._function(fn)
        members = []
        for rank, item in enumerate(given):
            told = self._workers.member(gang, rank, len(given))
            members.append(_Item(rank, ((item,), {}), self._new_future(), member=told))
            members[-1].over = functools.partial(self._end_member, gang, rank)
        futures = [member.future for member in members]
        try:
            self._workers.submit(*(self._attempt(function, [member]) for member in members))
            concurrent.futures.wait(futures)
        finally:
            for future in futures:
                future.cancel()
            self._workers.forget_gang(gang)
        failures = [error for future in futures if (error := future.exception()) is not None]
        for error in failures:
            if isinstance(error, TaskFailed) and error.error == NotEnoughConcurrency.__name__:
                raise NotEnoughConcurrency(error.message)
        # Most fail only because another has failed before.
        for error in (*(one for one in failures if not _is_of_a_peer(one)), *failures):
            raise error
        return [future.result() for future in futures]

    def start(
        self,
        flow: Node,
        event: Event,
        *,
        functions: Mapping[str, str] | None = None,
        observer: Observer | None = None,
        timeline: str | None = None,
    ) -> Run:
        """Begin a flow; this process coordinates it until it ends.

        Args:
            flow: what to do.
            event: what it is given.
            functions: from names that the flow uses to ``"package.module:function"``.
            observer: hears what happens, in the coordinator's thread.
            timeline: key prefix under which the store gets the record of every task, as
                `mu.timeline` describes, with ``<name>-<n>`` for the task; None for no records.

        Raises:
            FlowError: the flow is wrong.
        """
        run = Run(
            self._workers,
            flow,
            event,
            functions=functions or {},
            observer=observer or Observer(),
            timeline=timeline,
        )
        self._watch(run.future)
        return run

    def _end_member(self, gang: str, rank: int, error: str | None) -> None:
        self._workers.end_member(gang, rank, DONE if error is None else error.encode())

    @property
    def job(self) -> str:
        """The name under which a stack knows this executor's calls; "" on one machine."""
        return self._workers.job

    def records(self) -> list[TaskRecord]:
        """What is known of every attempt of a call that has ended so far."""
        return list(self._records)

    def cost(self) -> float:
        """Dollars that the calls have cost so far; 0 on one machine."""
        return sum(record.dollars for record in self._records)

    def timeline(self, path: str | Path) -> None:
        """Write the timeline of the calls so far as one HTML page."""
        from mu.timeline_page import write_page

        write_page(Path(path), self.records(), title="mu")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end all processes.

        Args:
            wait: whether to wait for the calls; otherwise they go on, and a thread waits.
            cancel_futures: whether to cancel all of them first, also those that run.
        """
        with self._lock:
            self._shut = True
            left = list(self._open)
        if cancel_futures:
            for future in left:
                future.cancel()
        if wait:
            self._close()
        else:
            threading.Thread(target=self._close, name="mu shutdown").start()

    def _close(self) -> None:
        with self._none_open:
            self._none_open.wait_for(lambda: not self._open)
        self._workers.close()
        self._finishing.shutdown()

    def _function(self, function: Callable[..., Any]) -> _Function:
        packed = _Function(function, self._workers.packages)
        self._workers.check(packed.packed)
        return packed

    def _new_future(self) -> Future[Any]:
        future: Future[Any] = Future()
        self._watch(future)
        return future

    def _watch(self, future: Future[Any]) -> None:
        """Keep the executor open until a future is done."""
        with self._lock:
            if self._shut:
                future.cancel()
                raise RuntimeError("the executor takes no more calls: it is shut down")
            self._open.add(future)
        future.add_done_callback(self._forget)

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        with self._none_open:
            self._open.discard(future)
            if not self._open:
                self._none_open.notify_all()

    def _begin(self, function: _Function, items: Sequence[_Item]) -> None:
        """Begin an attempt of calls that travel together."""
        items = [item for item in items if not item.future.done()]
        if items:
            self._workers.submit(self._attempt(function, items))

    def _attempt(self, function: _Function, items: Sequence[_Item]) -> Call:
        """An attempt of calls that travel together, or of one member of a gang."""
        try:
            arguments = pack([item.arguments for item in items], self._workers.packages)
        except BaseException:
            for item in items:
                item.future.cancel()
            raise
        for item in items:
            item.attempts += 1
        first = items[0]
        record = TaskRecord(
            function.name,
            first.number,
            {},
            time.time(),
            attempts=first.attempts,
            queued=time.time(),
        )

        def started(worker: str) -> None:
            nonlocal record
            record = replace(record, started=time.time(), worker=worker)
            for item in items:
                item.future.began = True

        def told(facts: Facts) -> None:
            nonlocal record
            record = record.with_facts(facts)
            for item in items:
                item.dollars += facts.dollars / len(items)

        def ended(outcome: Answer | CallFailed) -> None:
            self._note(record, outcome)
            self._ended(function, items, outcome)

        call = Call(
            {
                "task": function.name,
                "function_bytes": len(function.packed),
                "attempt": first.attempts,
                **(first.member or {}),
            },
            body=[function.packed, *arguments],
            # The rest of a gang waits for a member that is tried again.
            priority=(0 if first.member is not None and first.attempts > 1 else 1,),
            started=started,
            told=told,
            ended=ended,
            timeout_s=None if self._timeout_s is None else self._timeout_s * len(items),
            memory_mb=first.memory_mb,
        )

        def stop() -> None:
            # The others that travel with it would be lost.
            if all(item.future.done() for item in items):
                self._workers.cancel(call)

        for item in items:
            item.future.stop = stop
        return call

    def _note(self, record: TaskRecord, outcome: Answer | CallFailed) -> None:
        """Keep what is known of an attempt that has ended."""
        if isinstance(outcome, Answer):
            failed = outcome.head.get("failed")
            error, log = failed[0] if failed else None, outcome.head.get("log", "")
        else:
            error, log = outcome.error, outcome.log
        self._records.append(replace(record, log=log).with_end(time.time(), error=error))

    def _ended(
        self, function: _Function, items: Sequence[_Item], outcome: Answer | CallFailed
    ) -> None:
        if isinstance(outcome, Cancelled):
            for item in items:
                item.future.cancel()
            return
        if isinstance(outcome, CallFailed):
            failure = Failure(outcome.error, outcome.message, outcome.details, b"")
            log = outcome.log
            for item in items:
                if len(items) == 1:
                    self._failed(function, item, failure, log)
                else:
                    # Nobody knows which of them it was: each alone, and this did not count.
                    item.attempts -= 1
                    self._begin(function, [item])
            return
        try:
            outcomes = unpack(outcome.body)
        except Exception as error:  # a class that exists only there, for example
            outcomes = [Failure.of(error)] * len(items)
        for item, one in zip(items, outcomes, strict=True):
            if isinstance(one, Failure):
                self._failed(function, item, one, outcome.head.get("log", ""))
                continue
            item.over(None)
            if item.finish is None:
                with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled
                    item.future.set_result(one[0])
            else:
                # It may take long, and other results are on their way.
                self._finishing.submit(self._finish, function, item, one[0])

    def _finish(self, function: _Function, item: _Item, result: Any) -> None:
        assert item.finish is not None
        try:
            finished = item.finish(result, item.dollars)
        except Exception as error:
            self._give_up(function, item, Failure.of(error), "")
            return
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled
            item.future.set_result(finished)

    def _failed(self, function: _Function, item: _Item, failure: Failure, log: str) -> None:
        if failure.error in LACKS_MEMORY:
            more = self._workers.more_memory(item.memory_mb)
            if more is not None:
                item.memory_mb = more
                self._begin(function, [item])
                return
        if item.attempts <= self._retry.attempts and failure.error not in _FOR_GOOD:
            pause_s = self._retry.pause_s(item.attempts - 1, random.random())
            again = threading.Timer(pause_s, self._begin, (function, [item]))
            again.daemon = True
            item.future.stop = again.cancel
            again.start()
            return
        self._give_up(function, item, failure, log)

    @staticmethod
    def _give_up(function: _Function, item: _Item, failure: Failure, log: str) -> None:
        kind = _FAILURES.get(failure.error, TaskFailed)
        error = kind(
            function.name, None, failure.error, failure.message, item.attempts, failure.details,
            log, item.dollars,
        )  # fmt: skip
        if failure.exception:
            with contextlib.suppress(Exception):
                error.__cause__ = unpack(failure.exception)
        item.over(f"{failure.error}: {failure.message}")
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled
            item.future.set_exception(error)


class _Function:
    """A function with its packed form."""

    def __init__(self, function: Callable[..., Any], there: Collection[str] | None) -> None:
        named = function.func if isinstance(function, functools.partial) else function
        self.name = getattr(named, "__qualname__", type(named).__name__)
        self.packed = joined(pack(function, there))


def _workers(
    on: str,
    workers: int | None,
    memory: int | None,
    per_worker: int,
    architecture: str | None,
    store: Store | None,
) -> Workers:
    """The workers of an executor; see there."""
    kind, _, stack = on.partition(":")
    if kind == "stack" and stack:
        # Executors of one machine begin faster without the AWS SDK.
        from mu.engines.deployment import Deployment
        from mu.engines.stack import StackWorkers

        return StackWorkers(
            Deployment.find(stack),
            workers=workers,
            memory_mb=memory,
            per_worker=per_worker,
            architecture=architecture,
        )
    if on != HERE:
        raise ValueError(f'an executor is on "{HERE}" or on "stack:NAME", not on {on!r}')
    return MachineWorkers(workers, store)


def _with_dollars(done: CommandDone, dollars: float) -> CommandDone:
    return replace(done, dollars=dollars)


def _is_of_a_peer(error: BaseException) -> bool:
    """Whether a member of a gang failed because another had failed before."""
    return isinstance(error, TaskFailed) and error.error == PeerFailed.__name__
