"""Functions on many workers, as `concurrent.futures` has them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import queue
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mu.commands.command import Command
from mu.commands.task import Into, perform, plan
from mu.engines.calls import Failure, Outcomes
from mu.engines.pool import Answer, Call, CallFailed, Cancelled, WorkerPool
from mu.errors import NotEnoughConcurrency, PeerFailed, TaskFailed, TaskTimeout, WorkerDied
from mu.flow import Retry
from mu.futures import Chunk, Future, results
from mu.machine import available_cpus
from mu.messages.comm import DONE, ending
from mu.messages.on_machine import MessageHub
from mu.packing import apart, joined, pack, unpack
from mu.store.directory import DirectoryStore

Result = TypeVar("Result")

_FAILURES: dict[str, type[TaskFailed]] = {"WorkerDied": WorkerDied, "TaskTimeout": TaskTimeout}


@dataclass(slots=True)
class _Together:
    """Calls of a function that travel together and have not ended.

    Attributes:
        function: see there.
        calls: positional arguments of each.
        future: becomes the result of the only call; or, if `again` is given, what `Chunk` says.
        named: arguments of all.
        again: gets those that are tried again alone.
        member: what a worker is told if this is a member of a gang.
        over: is told how the only call ended, for good: by None or by what went wrong.
        attempts: how many have begun.
    """

    function: _Function
    calls: Sequence[tuple[Any, ...]]
    future: Future[Any]
    named: Mapping[str, Any] = field(default_factory=dict)
    again: list[Future[Any]] | None = None
    member: Mapping[str, Any] | None = None
    over: Callable[[str | None], None] = lambda _: None
    attempts: int = 0


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
    ) -> None:
        """Starts an executor.

        Args:
            workers: number of processes; None for one per CPU.
            retries: how many times a call that failed is tried again.
            timeout: limit for one attempt of a call, in seconds; None for none.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="mu-")
        self._workers = workers or available_cpus()
        self._store = DirectoryStore(f"{self._folder.name}/store")
        self._pool = WorkerPool(
            self._workers,
            {"store": self._store.url, "scratch": f"{self._folder.name}/scratch"},
            ["mu.engines.calls"],
        )
        self._hub = MessageHub()
        self._gangs = itertools.count()
        self._retry = Retry((), retries)
        self._timeout_s = timeout
        self._lock = threading.Lock()
        self._open: dict[concurrent.futures.Future[Any], None] = {}
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
        alone = _Together(_Function(fn), [args], self._new_future(), kwargs)
        self._begin(alone)
        return alone.future

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
        chunks: list[Chunk[Result]] = []
        again: list[Future[Result]] = []
        arrived: queue.SimpleQueue[concurrent.futures.Future[Any]] = queue.SimpleQueue()
        items = zip(*iterables, strict=False)
        while chunk := list(itertools.islice(items, chunksize)):
            chunks.append(self._new_future())
            if not ordered:
                chunks[-1].add_done_callback(arrived.put)
            self._begin(_Together(function, chunk, chunks[-1], again=again))
        left = dict.fromkeys(reversed(chunks))
        return results(left, again, None if ordered else arrived, until, return_exceptions)

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
            told = {"gang": gang, "rank": rank, "size": len(given), "hub": self._hub.path}
            over = functools.partial(self._end_member, gang, rank)
            future = self._new_future()
            members.append(_Together(function, [(item,)], future, member=told, over=over))
        futures = [member.future for member in members]
        try:
            self._pool.submit(*map(self._attempt, members))
            concurrent.futures.wait(futures)
        finally:
            for future in futures:
                future.cancel()
            self._hub.forget(gang)
            self._store.delete_all(self._store.list(f"{gang}/"))
        failures = [error for future in futures if (error := future.exception()) is not None]
        # Most fail only because another has failed before.
        for error in (*(one for one in failures if not _is_of_a_peer(one)), *failures):
            raise error
        return [future.result() for future in futures]

    def _end_member(self, gang: str, rank: int, error: str | None) -> None:
        self._hub.put(ending(gang, rank), DONE if error is None else error.encode())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end all processes.

        Args:
            wait: whether to wait for the calls; otherwise they go on, and a thread waits.
            cancel_futures: whether to cancel all of them first, also those that run.
        """
        with self._lock:
            self._shut = True
            left = list(reversed(self._open))  # what waits would take the place of what runs
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
        self._hub.close()
        self._folder.cleanup()

    def _new_future(self, *, late: bool = False) -> Future[Any]:
        """A future that a shutdown waits for; `late` if it belongs to a call of before that."""
        future: Future[Any] = Future()
        with self._lock:
            if self._shut and not late:
                raise RuntimeError("the executor takes no more calls: it is shut down")
            self._open[future] = None
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        with self._none_open:
            del self._open[future]
            if not self._open:
                self._none_open.notify_all()

    def _begin(self, together: _Together) -> None:
        """Begin an attempt of calls that travel together."""
        if not together.future.done():
            self._pool.submit(self._attempt(together))

    def _attempt(self, together: _Together) -> Call:
        """An attempt of calls that travel together, or of one member of a gang."""
        function, future, member = together.function, together.future, together.member
        try:
            calls = [tuple(map(apart, positional)) for positional in together.calls]
            arguments = pack((calls, together.named))
        except BaseException:
            future.cancel()
            raise
        together.attempts += 1

        def started(_worker: str) -> None:
            future.began = True

        count = len(together.calls)
        call = Call(
            {"function_bytes": len(function.packed), **(member or {})},
            body=[function.packed, *arguments],
            # The rest of a gang waits for a member that is tried again.
            priority=(0 if member is not None and together.attempts > 1 else 1,),
            started=started,
            ended=lambda outcome: self._ended(together, outcome),
            timeout_s=None if self._timeout_s is None else self._timeout_s * count,
            short=member is None,
        )
        future.stop = lambda: self._pool.cancel(call)
        return call

    def _ended(self, together: _Together, outcome: Answer | CallFailed) -> None:
        together.future.stop = None  # it holds the call, with its arguments
        count = len(together.calls)
        nothing = [None] * count
        if isinstance(outcome, Cancelled) or together.future.cancelled():
            together.future.cancel()
            return
        if isinstance(outcome, CallFailed):
            failure = Failure(outcome.error, outcome.message, outcome.details, b"")
            if count > 1:
                # Nobody knows which of them it was: each alone, and this did not count.
                together.attempts -= 1
                self._ended_together(together, nothing, dict.fromkeys(range(count)))
                return
            outcomes: Outcomes = nothing, {0: failure}
        else:
            try:
                outcomes = unpack(outcome.body)
            except Exception as error:  # a class that exists only there, for example
                outcomes = nothing, dict.fromkeys(range(count), Failure.of(error))
        if together.again is None:
            self._ended_alone(together, *outcomes)
        else:
            self._ended_together(together, *outcomes)

    def _ended_alone(
        self, alone: _Together, results: Sequence[Any], failures: Mapping[int, Failure]
    ) -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled
            if not failures:
                alone.over(None)
                alone.future.set_result(results[0])
            elif alone.attempts <= self._retry.attempts:
                self._try_again(alone)
            else:
                alone.over(f"{failures[0].error}: {failures[0].message}")
                alone.future.set_exception(_error(alone, failures[0]))

    def _ended_together(
        self,
        together: _Together,
        results: Sequence[Any],
        failures: Mapping[int, Failure | None],
    ) -> None:
        """Some may have failed; for None, it is not known whether they have."""
        others: dict[int, TaskFailed | Future[Any]] = {}
        for number, failure in failures.items():
            if failure is not None and together.attempts > self._retry.attempts:
                others[number] = _error(together, failure)
                continue
            others[number] = future = self._new_future(late=True)
            alone = _Together(
                together.function, [together.calls[number]], future, attempts=together.attempts
            )
            assert together.again is not None
            together.again.append(future)
            if failure is None:
                self._begin(alone)
            else:
                self._try_again(alone)
        try:
            together.future.set_result((results, others))
        except concurrent.futures.InvalidStateError:  # cancelled meanwhile
            for other in others.values():
                if isinstance(other, Future):
                    other.cancel()

    def _try_again(self, alone: _Together) -> None:
        """Begin another attempt of a call that failed, after a pause."""
        pause_s = self._retry.pause_s(alone.attempts - 1, random.random())
        later = threading.Timer(pause_s, self._begin, (alone,))
        later.daemon = True
        alone.future.stop = later.cancel
        later.start()


def _error(together: _Together, failure: Failure) -> TaskFailed:
    kind = _FAILURES.get(failure.error, TaskFailed)
    task, attempts = together.function.name, together.attempts
    error = kind(task, None, failure.error, failure.message, attempts, failure.details)
    if failure.exception:
        with contextlib.suppress(Exception):
            error.__cause__ = unpack(failure.exception)
    return error


class _Function:
    """A function with its packed form."""

    def __init__(self, function: Callable[..., Any]) -> None:
        named = function.func if isinstance(function, functools.partial) else function
        self.name = getattr(named, "__qualname__", type(named).__name__)
        self.packed = joined(pack(function))


def _is_of_a_peer(error: BaseException) -> bool:
    """Whether a member of a gang failed because another had failed before."""
    return isinstance(error, TaskFailed) and error.error == PeerFailed.__name__
