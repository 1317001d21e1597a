"""Attempts of calls: what travels together, what is tried again and with how much memory."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mu.engines.call import Answer, Call, CallFailed, Cancelled
from mu.engines.calls import Failure, Outcomes
from mu.engines.coordinator import FAILURES, LACKS_MEMORY
from mu.engines.workers import Workers
from mu.errors import TaskFailed
from mu.flow import Retry
from mu.futures import Future
from mu.packing import apart, joined, pack, unpack
from mu.records import Facts, TaskRecord, TaskView
from mu.store.protocol import REQUESTS_AT_ONCE
from mu.timelines import TimelineWriter

Finish = Callable[[Any, float], Any]
"""Is given a result and what it has cost; returns what the caller gets."""

_FOR_GOOD = frozenset({"NotEnoughConcurrency", "NondeterministicTask", "PackageError"})
"""Trying again does not help."""

_OF_GANGS_FOR_GOOD = frozenset({*_FOR_GOOD, "ChannelClosed"})
"""Messages may be lost with the channel, and of a member that has returned nobody sends any."""


class Function:
    """A function with its packed form.

    Attributes:
        name: what it is called in errors and records.
        packed: see `mu.packing.pack`.
    """

    def __init__(self, function: Callable[..., Any], there: Collection[str] | None) -> None:
        """Packs a function.

        Args:
            function: it.
            there: packages that its workers have; see `mu.pickling.dump`.
        """
        named = function.func if isinstance(function, functools.partial) else function
        self.name = getattr(named, "__qualname__", type(named).__name__)
        self.packed = joined(pack(function, there))


@dataclass(slots=True)
class Together:
    """Calls of a function that travel together and have not ended.

    Attributes:
        function: see there.
        number: tells the first of them from all other calls of the executor.
        calls: positional arguments of each.
        future: becomes the result of the only call; or, if `again` is given, what `Chunk` says.
        named: arguments of all.
        again: gets those that are tried again alone.
        member: what a worker is told if this is a member of a gang.
        finishes: what is still done with each result, here; None for nothing.
        attempts: how many have begun.
        grown: how many of them only had more memory than the one before.
        memory_mb: what they need, as is known since they have lacked some.
        dollars: what attempts have cost so far.
        is_copy: whether others do the same; then it is not tried again.
        copy: the future of others that do the same, once there are any.
    """

    function: Function
    number: int
    calls: Sequence[tuple[Any, ...]]
    future: Future[Any]
    named: Mapping[str, Any] = field(default_factory=dict)
    again: list[Future[Any]] | None = None
    member: Mapping[str, Any] | None = None
    finishes: Sequence[Finish] | None = None
    attempts: int = 0
    grown: int = 0
    memory_mb: int | None = None
    dollars: float = 0.0
    is_copy: bool = False
    copy: Future[Any] | None = None


class Attempts:
    """Gives calls to workers until they have succeeded, or failed for good."""

    def __init__(
        self,
        workers: Workers,
        retries: int,
        timeout_s: float | None,
        new_future: Callable[[], Future[Any]],
        timeline: TimelineWriter | None = None,
    ) -> None:
        """Begins with none.

        Args:
            workers: who runs them.
            retries: how many times a call that failed is tried again.
            timeout_s: limit for one attempt of one call.
            new_future: makes one for a call that is tried again alone.
            timeline: stores the record of each attempt.
        """
        self._workers = workers
        self._retry = Retry((), retries)
        self._timeout_s = timeout_s
        self._new_future = new_future
        self._finishing = concurrent.futures.ThreadPoolExecutor(
            REQUESTS_AT_ONCE, thread_name_prefix="mu result"
        )
        self.records: list[TaskRecord] = []
        self._timeline = timeline
        self._live: dict[Call, tuple[Together, TaskRecord]] = {}

    def close(self) -> None:
        """Let go of threads, when all has ended."""
        self._finishing.shutdown()

    def live(self) -> list[tuple[TaskView, Mapping[str, Any] | None]]:
        """What has not ended; and what is told to its worker, if it is a member of a gang."""
        return [
            (
                TaskView(
                    record.name, record.number, record.attempts, record.started, record.worker
                ),
                together.member,
            )
            for together, record in list(self._live.values())
        ]

    def begin(self, together: Together) -> None:
        """Begin an attempt of calls that travel together."""
        if not together.future.done():
            self._workers.submit(self._attempt(together))

    def begin_gang(self, members: Sequence[Together]) -> None:
        """Begin the first attempts of all members of a gang at the same time.

        Raises:
            NotEnoughConcurrency: there are more than can run at once.
        """
        self._workers.submit(*map(self._attempt, members))

    def _attempt(self, together: Together) -> Call:
        """An attempt of calls that travel together, or of one member of a gang."""
        function, future, member = together.function, together.future, together.member
        try:
            calls = [tuple(map(apart, positional)) for positional in together.calls]
            arguments = pack((calls, together.named), self._workers.packages)
        except BaseException:
            future.cancel()
            raise
        together.attempts += 1
        queued = time.time()
        record = TaskRecord(
            function.name, together.number, {}, queued, attempts=together.attempts, queued=queued
        )

        def started(worker: str) -> None:
            nonlocal record
            future.began = True
            record = replace(record, started=time.time(), worker=worker or "a worker of the stack")
            self._live[call] = together, record

        def told(facts: Facts) -> None:
            nonlocal record
            record = record.with_facts(facts)
            together.dollars += facts.dollars

        def ended(outcome: Answer | CallFailed) -> None:
            self._live.pop(call, None)
            self._note(record, outcome)
            self._ended(together, outcome)

        count = len(together.calls)
        call = Call(
            {"function_bytes": len(function.packed), **(member or {})},
            body=[function.packed, *arguments],
            # The rest of a gang waits for a member that is tried again.
            priority=(0 if member is not None and together.attempts > 1 else 1,),
            started=started,
            told=told,
            ended=ended,
            timeout_s=None if self._timeout_s is None else self._timeout_s * count,
            short=member is None,
            memory_mb=together.memory_mb,
            task=function.name,
            attempt=together.attempts,
        )
        future.stop = lambda: self._workers.cancel(call)
        self._live[call] = together, record
        return call

    def _note(self, record: TaskRecord, outcome: Answer | CallFailed) -> None:
        """Keep what is known of an attempt that has ended."""
        if isinstance(outcome, Answer):
            failed = outcome.head.get("failed")
            error, log = failed[0] if failed else None, outcome.head.get("log", "")
        else:
            error, log = outcome.error, outcome.log
        noted = replace(record, log=log).with_end(outcome.at, error=error)
        self.records.append(noted)
        if self._timeline is not None:
            self._timeline.try_add(noted)

    # ---- ends ----

    def _ended(self, together: Together, outcome: Answer | CallFailed) -> None:
        together.future.stop = None  # it holds the call, with its arguments
        count = len(together.calls)
        nothing = [None] * count
        if isinstance(outcome, Cancelled) or together.future.cancelled():
            together.future.cancel()
            return
        if isinstance(outcome, CallFailed):
            log = outcome.log
            failure = Failure(outcome.error, outcome.message, outcome.details, b"")
            if count > 1 and not together.is_copy:
                # Nobody knows which of them it was: each alone, and this did not count.
                together.attempts -= 1
                self._ended_together(together, nothing, dict.fromkeys(range(count)), log)
                return
            outcomes: Outcomes = nothing, {0: failure}
        else:
            log = outcome.head.get("log", "")
            try:
                outcomes = unpack(outcome.body)
            except Exception as error:  # a class that exists only there, for example
                outcomes = nothing, dict.fromkeys(range(count), Failure.of(error))
        if together.finishes is not None and len(outcomes[1]) < count:
            # It may take long, and other results are on their way.
            self._finishing.submit(self._finish, together, *outcomes, log)
        else:
            self._settle(together, *outcomes, log)

    def _settle(
        self,
        together: Together,
        results: Sequence[Any],
        failures: Mapping[int, Failure],
        log: str,
    ) -> None:
        copy = together.copy
        if failures and copy is not None and not copy.done():
            # The copy may succeed; if it does not, this failure counts.
            copy.add_done_callback(lambda _: self._settle(together, results, failures, log))
            return
        if together.future.done():
            return
        if together.again is None:
            self._ended_alone(together, results, failures, log)
        else:
            self._ended_together(together, results, failures, log)

    def _finish(
        self,
        together: Together,
        results: Sequence[Any],
        failures: Mapping[int, Failure],
        log: str,
    ) -> None:
        assert together.finishes is not None
        finished, failed = list(results), dict(failures)
        dollars = together.dollars / len(results)
        for number, finish in enumerate(together.finishes):
            if number not in failures:
                try:
                    finished[number] = finish(results[number], dollars)
                except Exception as error:
                    failed[number] = Failure.of(error)
        self._settle(together, finished, failed, log)

    def _ended_alone(
        self,
        alone: Together,
        results: Sequence[Any],
        failures: Mapping[int, Failure],
        log: str,
    ) -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled
            if not failures:
                alone.future.set_result(results[0])
            elif self._is_tried_again(alone, failures[0]):
                self._try_again(alone, failures[0])
            else:
                alone.future.set_exception(_error(alone, failures[0], log))

    def _ended_together(
        self,
        together: Together,
        results: Sequence[Any],
        failures: Mapping[int, Failure | None],
        log: str,
    ) -> None:
        """Some may have failed; for None, it is not known whether they have."""
        others: dict[int, TaskFailed | Future[Any]] = {}
        for number, failure in failures.items():
            if failure is not None and not self._is_tried_again(together, failure):
                others[number] = _error(together, failure, log)
                continue
            others[number] = future = self._new_future()
            alone = Together(
                together.function,
                together.number + number,
                [together.calls[number]],
                future,
                finishes=together.finishes and [together.finishes[number]],
                attempts=together.attempts,
                grown=together.grown,
                memory_mb=together.memory_mb,
                dollars=together.dollars / len(together.calls),
            )
            assert together.again is not None
            together.again.append(future)
            if failure is None:
                self.begin(alone)
            else:
                self._try_again(alone, failure)
        try:
            together.future.set_result((results, others))
        except concurrent.futures.InvalidStateError:  # cancelled meanwhile
            for other in others.values():
                if isinstance(other, Future):
                    other.cancel()

    def _is_tried_again(self, together: Together, failure: Failure) -> bool:
        for_good = _FOR_GOOD if together.member is None else _OF_GANGS_FOR_GOOD
        if together.is_copy or failure.error in for_good:
            return False
        more = self._more(together, failure)
        return more is not None or together.attempts - together.grown <= self._retry.attempts

    def _more(self, together: Together, failure: Failure) -> int | None:
        """With how much memory a call may succeed that has failed; None if with no more."""
        lacks = failure.error in LACKS_MEMORY
        return self._workers.more_memory(together.memory_mb) if lacks else None

    def _try_again(self, alone: Together, failure: Failure) -> None:
        """Begin another attempt of a call that failed: with more memory, or after a pause."""
        more = self._more(alone, failure)
        if more is not None:
            alone.memory_mb = more
            alone.grown += 1
            self.begin(alone)
            return
        pause_s = self._retry.pause_s(alone.attempts - alone.grown - 1, random.random())
        later = threading.Timer(pause_s, self.begin, (alone,))
        later.daemon = True
        alone.future.stop = later.cancel
        later.start()


def check_limits(retries: int, timeout_s: float | None) -> None:
    """Refuse limits that make no sense; see `mu.Executor`.

    Raises:
        ValueError: one does not.
    """
    if retries < 0:
        raise ValueError(f"retries is at least 0, not {retries}")
    if timeout_s is not None and not timeout_s > 0:
        raise ValueError(f"timeout is a number of seconds above 0, or None, not {timeout_s}")


def _error(together: Together, failure: Failure, log: str) -> TaskFailed:
    kind = FAILURES.get(failure.error, TaskFailed)
    error = kind(
        together.function.name,
        None,
        failure.error,
        failure.message,
        together.attempts,
        failure.details,
        log,
        together.dollars / len(together.calls),
    )
    if failure.exception:
        with contextlib.suppress(Exception):
            error.__cause__ = unpack(failure.exception)
    return error
