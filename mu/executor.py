"""Functions, programs, gangs and flows on many workers, as `concurrent.futures` has them."""

from __future__ import annotations

import concurrent.futures
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, overload

from mu.attempts import Attempts, Finish, Function, Together, check_limits
from mu.commands.command import Command
from mu.commands.staging import performing
from mu.commands.task import CommandDone, Into, Item, plan
from mu.engines.coordinator import Run
from mu.engines.opening import HERE, open_workers
from mu.errors import NotEnoughConcurrency
from mu.flow import Node
from mu.futures import Chunk, Future, OpenFutures, results
from mu.gangs import Gang, forget
from mu.hedge import Hedge
from mu.messages.comm import published_wait
from mu.messages.opening import forget_messages
from mu.packages.declared import Entry
from mu.records import Observer, TaskRecord, TaskView
from mu.store.protocol import Store
from mu.task import Event
from mu.timelines import STOPPED, SUCCEEDED

Result = TypeVar("Result")


class Executor(concurrent.futures.Executor):
    """Runs functions, programs, gangs and flows on workers.

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
        channel: str | None = None,
        store: Store | None = None,
        packages: Sequence[Entry] = (),
        timeline: str | None = None,
    ) -> None:
        """Starts an executor.

        Args:
            on: where the workers are: "here" for processes of this machine, "stack:NAME" for the
                cloud functions of a deployed stack.
            workers: the most that run at once; None for one per CPU, or for what the account has.
            memory: of a stack's worker in MB; None for the smallest. A call that lacks memory is
                tried again on the next larger worker, which does not count as one of `retries`.
                Processes of this machine share what it has, so there this changes nothing.
            per_worker: how many calls share a worker of a stack at the same time. On this machine
                each call has a process to itself, so there this changes nothing.
            architecture: of a stack's workers, "arm64" or "x86_64"; None for the stack's own. This
                machine has only its own, so there this changes nothing.
            retries: how many times a call that failed is tried again.
            timeout: limit for one attempt of a call, in seconds; None for none.
            channel: what carries the messages of gangs: "sockets" of this machine, "store" for the
                executor's store, "valkey" for the server of a stack that has one, or the URL of a
                Redis or Valkey server, such as ``rediss://user:password@host:6379/0``; None for
                sockets here, the store on a stack.
            store: where tasks on this machine keep bulk data; None for a folder that goes with
                the executor. Not for a stack, which has its own.
            packages: what functions import beside what workers have: requirements such as
                "pandas==2.2.3", paths of wheels, and folders of pure Python packages. A stack's
                workers get them; on this machine they have to be installed.
            timeline: name under which the record of each attempt of a call is stored while this
                runs, as `start` does for a flow; None for no records.

        Raises:
            ValueError: an option makes no sense, there or anywhere.
            StackError: there is no such stack, or it has no such workers.
            PackageError: a package is not to be had for the workers, or not here.
            ChannelClosed: the server does not answer.
            ChannelRefused: there is no such channel, or the server refuses the user.
        """
        check_limits(retries, timeout)
        if timeline is not None and on == HERE and store is None:
            raise ValueError(
                "timeline= on this machine needs a store= to keep the records in, such as "
                'mu.DirectoryStore("jobs"): the executor\'s own folder goes with it'
            )
        self._workers = open_workers(
            on,
            workers=workers,
            memory_mb=memory,
            per_worker=per_worker,
            architecture=architecture,
            channel=channel,
            store=store,
            packages=packages,
        )
        self._open = OpenFutures()
        self._gangs = itertools.count()
        self._numbers = itertools.count()
        self._runs: list[Run] = []
        try:
            self._timeline = None if timeline is None else self._workers.timeline(timeline)
        except BaseException:
            self._workers.close()
            raise
        self._stopped = False
        self._attempts = Attempts(
            self._workers,
            retries,
            timeout,
            lambda: self._open.add(Future(), late=True),
            self._timeline,
        )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)

    @property
    def job(self) -> str:
        """The name under which a stack knows this executor's calls; "" on one machine."""
        return self._workers.job

    @property
    def size(self) -> int:
        """How many calls can run at once: the most members of a gang."""
        return self._workers.size

    # ---- calls ----

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
        function = self._function(fn)
        alone = Together(function, next(self._numbers), [args], self._open.add(Future()), kwargs)
        self._attempts.begin(alone)
        return alone.future

    @overload
    def map(
        self,
        fn: Command,
        items: Iterable[Item],
        /,
        *,
        timeout: float | None = None,
        chunksize: int = 1,
        ordered: bool = True,
        return_exceptions: bool = False,
        into: Into | None = None,
        hedge: float = 0.0,
    ) -> Iterator[CommandDone]: ...

    @overload
    def map(
        self,
        fn: Callable[..., Result],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        ordered: bool = True,
        return_exceptions: bool = False,
        hedge: float = 0.0,
    ) -> Iterator[Result]: ...

    def map(
        self,
        fn: Callable[..., Result] | Command,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        ordered: bool = True,
        return_exceptions: bool = False,
        into: Into | None = None,
        hedge: float = 0.0,
    ) -> Iterator[Any]:
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
            hedge: when no more than this share of the items is left, each that runs gets a second
                copy; the first result wins. 0.05 for the slowest twentieth; 0 for none.

        Raises:
            CommandError: a command, its items and `into` do not fit together.
        """
        if chunksize < 1:
            raise ValueError(f"chunksize is at least 1, not {chunksize}")
        finishes: Iterator[Finish] | None = None
        if isinstance(fn, Command):
            (given,) = iterables
            planned = list(plan(fn, list(given), into))
            called, works, finishes = performing(fn, planned, self._workers.staging())
            function, iterables = self._function(called), (works,)
        elif into is not None:
            raise ValueError("only the outputs of a command go `into` files")
        else:
            function = self._function(fn)
        until = None if timeout is None else time.monotonic() + timeout
        chunks: list[Chunk[Result]] = []
        again: list[Future[Result]] = []
        arrived: queue.SimpleQueue[concurrent.futures.Future[Any]] = queue.SimpleQueue()
        hedged = self._hedge(hedge)
        items = zip(*iterables, strict=False)
        while chunk := list(itertools.islice(items, chunksize)):
            chunks.append(self._open.add(Future()))
            if not ordered:
                chunks[-1].add_done_callback(arrived.put)
            together = Together(
                function,
                self._next_number(len(chunk)),
                chunk,
                chunks[-1],
                again=again,
                finishes=None if finishes is None else list(itertools.islice(finishes, len(chunk))),
            )
            hedged.watch(together)
            self._attempts.begin(together)
        hedged.complete()
        left = dict.fromkeys(reversed(chunks))
        return results(left, again, None if ordered else arrived, until, return_exceptions)

    def warm(self, count: int | None = None) -> None:
        """Start workers, so that the next calls need not wait for them.

        Args:
            count: how many; None for as many as can run at once.

        Raises:
            NotEnoughConcurrency: so many cannot run at once.
        """
        function = self._function(time.sleep)
        calls = [
            Together(function, self._next_number(1), [(_HELD_S,)], self._open.add(Future()))
            for _ in range(self.size if count is None else count)
        ]
        try:
            self._attempts.begin_gang(calls)
            for call in calls:
                call.future.result()
        finally:
            for call in calls:
                call.future.cancel()

    # ---- gangs ----

    def gang(
        self, fn: Callable[..., Result], items: Iterable[Any], *, hedge: float = 0.0
    ) -> list[Result]:
        """Run members of a gang, one for each item, all at the same time.

        A member that fails is started again from its beginning, if `retries` allow it: it sends the
        same messages again, and receives again what it received.

        Args:
            fn: is called with a `Comm` and the member's item.
            items: one for each member.
            hedge: as for `map`; a copy of a member sends the same messages to the same addresses.

        Returns:
            What the members returned, in the order of items.

        Raises:
            NotEnoughConcurrency: there are more members than can run at once; none has begun.
            TaskFailed: of the member that failed first for a reason of its own; the others have
                ended, too.
            ChannelClosed: what carries the messages is gone; the gang has ended.
        """
        given = list(items)
        if len(given) > self.size:
            raise NotEnoughConcurrency(
                f"a gang of {len(given)} cannot run at once on {self.size} workers"
            )
        if not given:
            return []
        gang = f"gangs/{next(self._gangs)}"
        function = self._function(fn)
        members = [
            Together(
                function, rank, [(item,)], self._open.add(Future()),
                member=self._workers.member(gang, rank, len(given)),
            )
            for rank, item in enumerate(given)
        ]  # fmt: skip
        # The channel stays open until this has ended; it cannot be cancelled.
        whole = self._open.add(concurrent.futures.Future[None]())
        whole.set_running_or_notify_cancel()
        try:
            return Gang(gang, members, self._workers, self._hedge(hedge)).run(self._attempts)
        finally:
            told = members[0].member
            assert told is not None
            forget(told, self._forgetting(told), lambda: whole.set_result(None))

    def _forgetting(self, told: Mapping[str, Any]) -> Callable[[Future[None]], None]:
        """Begins the call of a worker that removes a gang's messages."""

        def begin(future: Future[None]) -> None:
            place = told["channel"], told["job"], told["gang"]
            function = self._function(forget_messages)
            self._attempts.begin(Together(function, next(self._numbers), [place], future))

        return begin

    def _hedge(self, share: float) -> Hedge:
        return Hedge(share, self._attempts.begin, lambda: self._open.add(Future(), late=True))

    # ---- flows ----

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
            timeline: name of this job, under which the record of every task is stored as it ends;
                None for no records. On this machine it is a key prefix in the executor's store; on
                a stack they lie in its work bucket, and the executor's own name comes before it.
                `mu.timelines` says how.

        Raises:
            FlowError: the flow is wrong.
            ValueError: a stack's job cannot have this name.
            StoreError: the store takes no records.
        """
        run = Run(
            self._workers,
            flow,
            event,
            functions=functions or {},
            observer=observer or Observer(),
            timeline=timeline,
        )
        try:
            self._open.add(run.future)
        except RuntimeError:
            run.cancel()
            raise
        if timeline is not None:
            self._runs = [*(one for one in self._runs if not one.gone()), run]
        return run

    # ---- what is known ----

    def tasks(self) -> list[TaskView]:
        """What waits and what runs now, in the order in which it was given to workers."""
        channel = self._workers.channel
        views = []
        for view, member in self._attempts.live():
            if member is not None and view.worker:
                published = published_wait(channel, member["gang"], member["rank"])
                if published is not None:
                    view = replace(view, waits_for=published[0])
            views.append(view)
        return views

    def records(self) -> list[TaskRecord]:
        """What is known of every attempt of a call that has ended so far.

        Calls that travel together have one record.
        """
        return list(self._attempts.records)

    def cost(self) -> float:
        """Dollars that the calls have cost so far; 0 on one machine."""
        return sum(record.dollars for record in self._attempts.records)

    def timeline(self, path: str | Path) -> None:
        """Write the timeline of the calls so far as one HTML page."""
        from mu.timeline_page import write_page

        write_page(Path(path), self.records(), title=self.job or "mu")

    # ---- the end ----

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end all processes.

        Args:
            wait: whether to wait for the calls; otherwise they go on, and a thread waits.
            cancel_futures: whether to cancel all of them first, also those that run.
        """
        left = self._open.shut()
        if cancel_futures:
            self._stopped = True
            for future in reversed(left):  # what waits would take the place of what runs
                future.cancel()
        if wait:
            self._close()
        else:
            threading.Thread(target=self._close, name="mu shutdown").start()

    def _close(self) -> None:
        self._open.wait()
        for run in self._runs:
            run.join()
        if self._timeline is not None:
            self._timeline.end(STOPPED if self._stopped else SUCCEEDED)
        self._workers.close()
        self._attempts.close()

    def _function(self, function: Callable[..., Any]) -> Function:
        packed = Function(function, self._workers.packages)
        self._workers.check(packed.packed)
        return packed

    def _next_number(self, count: int) -> int:
        """The first of so many numbers, which no other call has."""
        first = next(self._numbers)
        for _ in range(count - 1):
            next(self._numbers)
        return first


_HELD_S = 0.5
"""How long workers that are warmed are held, so that each gets one call."""


def warm(count: int, on: str = HERE, **options: Any) -> None:
    """Start workers that the next executor will find; see `Executor` for the options."""
    with Executor(on, **options) as executor:
        executor.warm(count)
