"""Functions on many workers, as `concurrent.futures` has them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import queue
import random
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mu.commands.command import Command
from mu.commands.task import Into, perform, plan
from mu.engines.calls import Failure
from mu.engines.pool import Answer, Call, CallFailed, Cancelled, WorkerPool
from mu.errors import (
    ChannelClosed,
    MessageError,
    NotEnoughConcurrency,
    PeerFailed,
    TaskFailed,
    TaskTimeout,
    WorkerDied,
)
from mu.flow import Retry
from mu.futures import Future, results
from mu.machine import available_cpus
from mu.messages.comm import DONE, ending
from mu.messages.opening import SOCKETS, begin_channel
from mu.packing import joined, pack, unpack
from mu.store.directory import DirectoryStore

Result = TypeVar("Result")
Watched = TypeVar("Watched", bound=concurrent.futures.Future[Any])

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_FAILURES: dict[str, type[TaskFailed]] = {"WorkerDied": WorkerDied, "TaskTimeout": TaskTimeout}


@dataclass(slots=True)
class _Item:
    """One call of a function that has not ended.

    Attributes:
        arguments: positional and named.
        future: its result.
        attempts: how many have begun.
        member: what a worker is told if this is a member of a gang.
    """

    arguments: Arguments
    future: Future[Any]
    attempts: int = 0
    member: Mapping[str, Any] | None = None


class Executor(concurrent.futures.Executor):
    """Runs functions on workers.

    Leaving its `with` block waits for all calls, or ends them if an exception leaves it.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        retries: int = 0,
        timeout: float | None = None,
        channel: str = SOCKETS,
    ) -> None:
        """Starts an executor.

        Args:
            workers: number of processes; None for one per CPU.
            retries: how many times a call that failed is tried again.
            timeout: limit for one attempt of a call, in seconds; None for none.
            channel: what carries the messages of gangs: "sockets" of this machine, "store" for the
                executor's store, or the URL of a Redis or Valkey server, such as
                ``rediss://user:password@host:6379/0``.

        Raises:
            ChannelClosed: the server does not answer.
            ChannelRefused: there is no such channel, or the server refuses the user.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="mu-")
        self._workers = workers or available_cpus()
        self._store = DirectoryStore(f"{self._folder.name}/store")
        self._job = f"mu/{secrets.token_hex(8)}"
        try:
            self._channel_url, self._channel = begin_channel(channel, self._store, self._job)
        except BaseException:
            self._folder.cleanup()
            raise
        self._pool = WorkerPool(
            self._workers,
            {"store": self._store.url, "scratch": f"{self._folder.name}/scratch"},
        )
        self._gangs = itertools.count()
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
        item = _Item((args, kwargs), self._new_future())
        self._begin(_Function(fn), [item])
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
        if isinstance(fn, Command):
            (given,) = iterables
            iterables = (list(plan(fn, list(given), into)),)
            function = _Function(functools.partial(perform, fn.with_absolute_files()))
        elif into is not None:
            raise ValueError("only the outputs of a command go `into` files")
        else:
            function = _Function(fn)
        until = None if timeout is None else time.monotonic() + timeout
        futures: list[Future[Result]] = []
        arrived: queue.SimpleQueue[concurrent.futures.Future[Result]] = queue.SimpleQueue()
        items = zip(*iterables, strict=False)
        while chunk := list(itertools.islice(items, chunksize)):
            calls = [_Item((arguments, {}), self._new_future()) for arguments in chunk]
            futures += [call.future for call in calls]
            if not ordered:
                for call in calls:
                    call.future.add_done_callback(arrived.put)
            self._begin(function, calls)
        return results(futures, None if ordered else arrived, until, return_exceptions)

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
            ChannelClosed: what carries the messages is gone; the gang has ended.
        """
        given = list(items)
        if len(given) > self._workers:
            raise NotEnoughConcurrency(
                f"a gang of {len(given)} cannot run at once on {self._workers} workers"
            )
        if not given:
            return []
        gang = f"gangs/{next(self._gangs)}"
        function = _Function(fn)
        members = []
        for rank, item in enumerate(given):
            told = {
                "job": self._job,
                "channel": self._channel_url,
                "gang": gang,
                "rank": rank,
                "size": len(given),
            }
            members.append(_Item(((item,), {}), self._new_future(), member=told))
        futures = [member.future for member in members]
        # The channel stays open until this has ended; it cannot be cancelled.
        whole: concurrent.futures.Future[None] = self._watched(concurrent.futures.Future())
        whole.set_running_or_notify_cancel()
        ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        for rank, future in enumerate(futures):
            future.add_done_callback(lambda _, rank=rank: ended.put(rank))  # type: ignore[misc]
        try:
            self._pool.submit(*(self._attempt(function, [member]) for member in members))
            # In this thread, since a channel that has gone answers late.
            for _ in futures:
                rank = ended.get()
                if not futures[rank].cancelled():
                    self._channel.put(ending(gang, rank), _how_it_ended(futures[rank]))
        finally:
            for future in futures:
                future.cancel()
            try:
                with contextlib.suppress(MessageError):
                    self._channel.forget(gang)
                self._store.delete_all(self._store.list(f"{gang}/"))
            finally:
                whole.set_result(None)
        failures = [error for future in futures if (error := future.exception()) is not None]
        # Most fail only because another has failed before.
        for error in (*(one for one in failures if not _is_of_a_peer(one)), *failures):
            raise error
        return [future.result() for future in futures]

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
        self._pool.close()
        self._channel.close()
        self._folder.cleanup()

    def _new_future(self) -> Future[Any]:
        return self._watched(Future())

    def _watched(self, future: Watched) -> Watched:
        """The future, for whose end closing waits."""
        with self._lock:
            if self._shut:
                raise RuntimeError("the executor takes no more calls: it is shut down")
            self._open.add(future)
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        with self._none_open:
            self._open.discard(future)
            if not self._open:
                self._none_open.notify_all()

    def _begin(self, function: _Function, items: Sequence[_Item]) -> None:
        """Begin an attempt of calls that travel together."""
        items = [item for item in items if not item.future.done()]
        if items:
            self._pool.submit(self._attempt(function, items))

    def _attempt(self, function: _Function, items: Sequence[_Item]) -> Call:
        """An attempt of calls that travel together, or of one member of a gang."""
        try:
            arguments = pack([item.arguments for item in items])
        except BaseException:
            for item in items:
                item.future.cancel()
            raise
        for item in items:
            item.attempts += 1
        first = items[0]

        def started(_worker: str) -> None:
            for item in items:
                item.future.began = True

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
            ended=lambda outcome: self._ended(function, items, outcome),
            timeout_s=None if self._timeout_s is None else self._timeout_s * len(items),
        )

        def stop() -> None:
            # The others that travel with it would be lost.
            if all(item.future.done() for item in items):
                self._pool.cancel(call)

        for item in items:
            item.future.stop = stop
        return call

    def _ended(
        self, function: _Function, items: Sequence[_Item], outcome: Answer | CallFailed
    ) -> None:
        if isinstance(outcome, Cancelled):
            for item in items:
                item.future.cancel()
            return
        if isinstance(outcome, CallFailed):
            failure = Failure(outcome.error, outcome.message, outcome.details, b"")
            for item in items:
                if len(items) == 1:
                    self._failed(function, item, failure)
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
                self._failed(function, item, one)
                continue
            with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled
                item.future.set_result(one[0])

    def _failed(self, function: _Function, item: _Item, failure: Failure) -> None:
        # Messages may be lost with the channel, and of a member that has returned nobody sends any.
        lasting = item.member is not None and failure.error == ChannelClosed.__name__
        if item.attempts <= self._retry.attempts and not lasting:
            pause_s = self._retry.pause_s(item.attempts - 1, random.random())
            again = threading.Timer(pause_s, self._begin, (function, [item]))
            again.daemon = True
            item.future.stop = again.cancel
            again.start()
            return
        kind = _FAILURES.get(failure.error, TaskFailed)
        error = kind(
            function.name, None, failure.error, failure.message, item.attempts, failure.details
        )
        if failure.exception:
            with contextlib.suppress(Exception):
                error.__cause__ = unpack(failure.exception)
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled
            item.future.set_exception(error)


class _Function:
    """A function with its packed form."""

    def __init__(self, function: Callable[..., Any]) -> None:
        named = function.func if isinstance(function, functools.partial) else function
        self.name = getattr(named, "__qualname__", type(named).__name__)
        self.packed = joined(pack(function))


def _how_it_ended(member: concurrent.futures.Future[Any]) -> bytes:
    """What the others are told of a member that has ended for good."""
    error = member.exception()
    if isinstance(error, TaskFailed):
        return f"{error.error}: {error.message}".encode()
    return DONE if error is None else str(error).encode()


def _is_of_a_peer(error: BaseException) -> bool:
    """Whether a member of a gang failed because another had failed before."""
    return isinstance(error, TaskFailed) and error.error == PeerFailed.__name__
