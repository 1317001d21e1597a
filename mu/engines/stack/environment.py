"""What an executor's cloud function does: it runs a share of calls on processes of its own.

They are those of `mu.engines.machine.pool`, as on one machine. So several calls share the CPUs of
one environment, a call that kills its process harms no other, and a call that nobody wants any more
is ended at once. What the calls may reach is up to the credentials that their processes get, which
are not those of the function.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mu.engines.call import Answer, Call, CallFailed, Cancelled
from mu.engines.machine.log import tail_of
from mu.engines.machine.pool import WorkerPool
from mu.engines.stack.lease import LeaseWatch
from mu.engines.stack.packages import Stored, fetch, paths_to
from mu.engines.stack.share import Keys, Outcome, ShareCall, read_share, read_stop, write_outcomes
from mu.errors import PackageError
from mu.packing import pieces
from mu.records import Facts
from mu.store.below import StoreBelow
from mu.store.protocol import Store

_LOOK_S = 1.0
"""How often an environment looks which calls nobody wants any more. S3 bills each look."""

_FLUSH_S = 2.0
"""Outcomes wait at most that long for others that can be written with them."""

_TO_REPORT_S = 8.0
"""How long before its end an environment stops its calls, so that it can still say what became of
them."""

_TO_BEGIN_S = 15.0
"""No call begins if less is left."""

_OWN_BYTES = 96 << 20
"""Memory that the function itself needs."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an environment has.

    Attributes:
        memory_mb: memory of the function.
        usd_per_s: what Lambda charges for a second of it.
    """

    memory_mb: int
    usd_per_s: float


@dataclass(slots=True)
class _Running:
    """One call of the share that runs now."""

    call: ShareCall
    submitted: Call
    began: float | None = None
    worker: str = ""
    wanted: bool = True
    ended: float | None = None
    outcome: Answer | CallFailed | None = None


@dataclass(slots=True)
class Environment:
    """Runs shares one after another, as Lambda sends them.

    Attributes:
        name: of this environment, as records show it.
        store: of the jobs; the function's own rights on it suffice for shares and outcomes.
        limits: see there.
        credentials: makes the variables through which the processes of a job reach AWS, and says
            how many seconds they hold.
        scratch: folder for all that a job leaves on the disk.
    """

    name: str
    store: Store
    limits: Limits
    credentials: Callable[[str], tuple[Mapping[str, str], float]]
    scratch: Path
    _job: str = ""
    _pool: WorkerPool | None = None
    _pool_until: float = 0.0
    _lease: LeaseWatch | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self, job: str, share: str, *, slots: int, left_s: Callable[[], float]
    ) -> dict[str, int]:
        """Run a share.

        Args:
            job: the job's name.
            share: the share's name.
            slots: how many of the job's calls run at once.
            left_s: tells how many seconds are left until this environment is stopped.

        Returns:
            How many calls it had, and how many of them have ended.
        """
        received = time.time()
        keys = Keys(job)
        all_unwanted, unwanted = read_stop(self.store, keys)
        if all_unwanted:
            return {"calls": 0, "ended": 0}
        calls, packages = read_share(self.store.get(keys.share(share)))
        calls = [call for call in calls if call.number not in unwanted]
        lease = self._lease_of(keys)
        refused: CallFailed | None = None
        if lease.has_run_out():
            refused = Cancelled()  # so that they come back, should their client only have slept
        else:
            try:
                pool = self._pool_of(job, packages, slots, left_s())
            except PackageError as error:
                refused = CallFailed(type(error).__name__, str(error))
        fetched = time.time()
        running = _Share(self, keys, share, calls, slots, received, lease)
        if refused is None:
            running.run(pool, left_s)
        else:
            running.refuse(refused)
        ended = time.time()
        record = {
            "share": share,
            "worker": self.name,
            "memory_mb": self.limits.memory_mb,
            "received": received,
            "fetched": fetched,
            "ended": ended,
            "dollars": (ended - received) * self.limits.usd_per_s,
            "calls": running.records(),
        }
        self.store.put(f"{keys.records}{share}.json", json.dumps(record).encode())
        return {"calls": len(calls), "ended": running.count_ended()}

    def _lease_of(self, keys: Keys) -> LeaseWatch:
        """The view of a job's lease, which all its shares have in common."""
        if self._lease is None or self._lease.job != keys.job:
            self._lease = LeaseWatch(self.store, keys)
        return self._lease

    def _pool_of(
        self, job: str, packages: Sequence[Stored], slots: int, needed_s: float
    ) -> WorkerPool:
        """The job's processes; those of an earlier job are ended first, with its packages.

        Raises:
            PackageError: the job's packages are not to be had.
        """
        if self._pool is not None and (job != self._job or time.monotonic() > self._pool_until):
            self.close()
        if self._pool is None:
            variables, hold_s = self.credentials(job)
            self._pool_until = time.monotonic() + hold_s - needed_s
            self._job = job
            self.scratch.mkdir(parents=True, exist_ok=True)
            folder = self.scratch / "packages"
            if packages:
                try:
                    fetch(self.store, packages, folder)
                except BaseException:
                    self.close()
                    raise
                variables = {**variables, **paths_to(folder, os.environ)}
            self._pool = WorkerPool(
                slots,
                {
                    "store": StoreBelow(self.store, Keys(job).data).url,
                    "scratch": str(self.scratch / "files"),
                    "logs": str(self.scratch),
                    "variables": dict(variables),
                    "path": [str(folder)] if packages else [],
                    "memory_bytes": max(64 << 20, (self.limits.memory_mb << 20) - _OWN_BYTES),
                },
            )
        return self._pool

    def close(self) -> None:
        """End the processes, and remove what they left."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        shutil.rmtree(self.scratch, ignore_errors=True)


class _Share:
    """A share under way."""

    def __init__(
        self,
        environment: Environment,
        keys: Keys,
        name: str,
        calls: list[ShareCall],
        slots: int,
        received: float,
        lease: LeaseWatch,
    ) -> None:
        self._lease = lease
        self._slots = slots
        self._received = received
        self._fetched = time.time()
        self._environment = environment
        self._keys = keys
        self._name = name
        self._changed = threading.Condition()
        self._calls = [_Running(call, self._submitted(number, call))
                       for number, call in enumerate(calls)]  # fmt: skip
        self._written: set[int] = set()
        # Lambda may run a share twice, and neither run may replace what the other has written.
        self._run = secrets.token_hex(4)
        self._parts = 0
        self._unwanted = False
        self._functions: dict[str, bytes] = {}

    def _submitted(self, number: int, call: ShareCall) -> Call:
        return Call(
            call.head,
            ended=lambda outcome: self._ended(number, outcome),
            started=lambda worker: self._started(number, worker),
            timeout_s=call.timeout_s,
        )

    def _started(self, number: int, worker: str) -> None:
        running = self._calls[number]
        running.began, running.worker = time.time(), worker

    def _ended(self, number: int, outcome: Answer | CallFailed) -> None:
        with self._changed:
            running = self._calls[number]
            running.ended = time.time()
            running.outcome = outcome
            self._changed.notify_all()

    def run(self, pool: WorkerPool, left_s: Callable[[], float]) -> None:
        """Run all calls to their ends, or to that of the environment."""
        if left_s() < _TO_BEGIN_S:  # to make ready took too long
            self.refuse(Cancelled())
            return
        store = self._environment.store
        for one in self._calls:
            digest = one.call.function
            if digest:
                if digest not in self._functions:
                    self._functions[digest] = store.get(self._keys.function(digest))
                function = self._functions[digest]
                one.submitted.head = {**one.call.head, "function_bytes": len(function)}
                one.submitted.body = [function, *one.call.body]
            pool.submit(one.submitted)
        looked = flushed = time.monotonic()
        while True:
            with self._changed:
                if self._left():
                    self._changed.wait(min(_LOOK_S, max(0.1, left_s() - _TO_REPORT_S)))
                left = self._left()
            now = time.monotonic()
            if (not left or now - flushed >= _FLUSH_S) and not self._unwanted:
                self._flush()
                flushed = now
            if not left:
                return
            if left_s() < _TO_BEGIN_S:
                self._cancel(pool, [one for one in left if one.began is None])
            if left_s() < _TO_REPORT_S:
                self._end_late(pool, left)
            elif now - looked >= _LOOK_S:
                self._unwanted, unwanted = read_stop(store, self._keys)
                for one in left:
                    one.wanted = not (self._unwanted or one.call.number in unwanted)
                # Without a lease they come back, should their client only have slept.
                run_out = self._lease.has_run_out()
                self._cancel(pool, [one for one in left if run_out or not one.wanted])
                looked = now

    def refuse(self, failure: CallFailed) -> None:
        """End all calls before they begin."""
        for number in range(len(self._calls)):
            self._ended(number, failure)
        self._flush()

    def _left(self) -> list[_Running]:
        return [one for one in self._calls if one.ended is None]

    @staticmethod
    def _cancel(pool: WorkerPool, calls: list[_Running]) -> None:
        # Those that run come last: in the place of each, one that waits would begin.
        for one in sorted(calls, key=lambda one: one.began is not None):
            pool.cancel(one.submitted)

    def _end_late(self, pool: WorkerPool, calls: list[_Running]) -> None:
        self._cancel(pool, calls)
        for one in calls:
            if one.began is not None and isinstance(one.outcome, Cancelled):
                took_s = time.time() - one.began
                one.outcome = CallFailed(
                    "TaskTimeout", f"its worker had to end after {took_s:.0f} s of the call"
                )

    def _flush(self) -> None:
        """Write what has ended since the last time."""
        with self._changed:
            ended = [
                (number, one)
                for number, one in enumerate(self._calls)
                if one.ended is not None and one.wanted and number not in self._written
            ]
        if not ended:
            return
        outcomes = [self._outcome(one) for _, one in ended]
        key = f"{self._keys.outcomes}{self._name}-{self._run}-{self._parts}"
        self._environment.store.concat(key, pieces(write_outcomes(outcomes)))
        self._parts += 1
        self._written.update(number for number, _ in ended)
        for _, one in ended:
            if isinstance(one.outcome, Answer):
                one.outcome = Answer(one.outcome.head, memoryview(b""))  # in memory only once

    def _outcome(self, one: _Running) -> Outcome:
        assert one.ended is not None
        if isinstance(one.outcome, Cancelled):
            # It comes back to be begun elsewhere.
            return Outcome(one.call.number, None)
        log = self._log(one)
        if isinstance(one.outcome, CallFailed):
            failure = one.outcome
            one.outcome = CallFailed(failure.error, failure.message, failure.details, log)
        for line in log.splitlines():
            told = {"job": self._keys.job, "call": one.call.number, "message": line}
            print(json.dumps(told), file=sys.stderr)
        environment = self._environment
        began = one.began or one.ended
        facts = Facts(
            worker=f"{environment.name} {one.worker}",
            began=began,
            ended=one.ended,
            memory_mb=environment.limits.memory_mb,
            dollars=(one.ended - began) * environment.limits.usd_per_s / self._slots,
            received=self._received,
            fetched=self._fetched,
        )
        return Outcome(one.call.number, one.outcome, facts)

    def _log(self, one: _Running) -> str:
        """The last lines that a call printed."""
        if isinstance(one.outcome, Answer):
            return str(one.outcome.head.get("log", ""))
        if isinstance(one.outcome, CallFailed) and one.outcome.log:
            return one.outcome.log
        with contextlib.suppress(OSError, ValueError):
            return tail_of(self._environment.scratch, int(one.worker.rpartition(" ")[2]))
        return ""

    def records(self) -> list[dict[str, Any]]:
        """What is known of each call that began."""
        return [
            {
                "number": one.call.number,
                "task": one.call.head["task"],
                "attempt": one.call.head["attempt"],
                "worker": one.worker,
                "began": one.began,
                "ended": one.ended,
                "error": _error(one.outcome),
                "log": self._log(one),
            }
            for one in self._calls
            if one.began is not None
        ]

    def count_ended(self) -> int:
        """How many calls have ended and not come back."""
        return sum(not isinstance(one.outcome, Cancelled) for one in self._calls)


def _error(outcome: Answer | CallFailed | None) -> str | None:
    """The class name of what a call failed with."""
    if isinstance(outcome, Answer):
        return next(iter(outcome.head.get("failed", ())), None)
    return None if outcome is None else outcome.error


def new_scratch() -> Path:
    """A folder for an environment's files."""
    return Path(tempfile.gettempdir()) / "mu"
