"""Workers of a deployed stack: calls travel in shares, which a state machine hands to functions.

A thread gathers the calls that are submitted within a moment into a wave: one execution of the
state machine, with a share for each environment. It then lists what became of them, and removes
what it has read, so that it lists nothing twice.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import secrets
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mu.commands.staging import Staging
from mu.engines.call import Call, CallFailed, Cancelled
from mu.engines.stack.deployment import (
    Deployment,
    client,
    explained,
    most_at_once,
    stop_execution,
)
from mu.engines.stack.lease import Lease
from mu.engines.stack.packages import Stored, upload
from mu.engines.stack.sender import SPARE_S, Sender
from mu.engines.stack.share import Keys, read_outcomes, read_stop, write_stop
from mu.errors import NotEnoughConcurrency, PackageError, StackError, StoreError
from mu.messages.opening import STORE, begin_channel
from mu.packages.declared import Entry, collect
from mu.packing import travels_by_value
from mu.store.below import StoreBelow
from mu.store.protocol import REQUESTS_AT_ONCE, Store
from mu.store.s3.bucket import S3Store
from mu.timelines import STACK_PLACE, TimelineWriter

_QUIET_S = 0.03
"""A wave begins when no call has come for so long,"""
_GATHER_S = 0.5
"""or when its first call has waited so long."""

_FIRST_POLL_S = 0.2
_LONGEST_POLL_S = 1.0
_DESCRIBE_S = 5.0
_GRACE_S = 3.0
"""How long after its execution's end an outcome may still be missing from a listing."""

_ENDING_S = 3.0
"""How long the end of a job waits for workers that end calls which nobody wants."""

_UNANSWERED_S = 60.0
"""After so long without an answer from AWS, while this process runs, all calls fail."""

_KEPT_FREE = 3
"""Functions that must run beside the workers, if the account has few."""

_FINAL = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})

_TIMED_OUT = frozenset({"Sandbox.Timedout", "States.Timeout"})

_TIMELINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")

ROLL_CALL_S = 60.0
"""How long the members of a gang wait for the last of them."""


@dataclass(slots=True)
class _Sent:
    """A call that has been sent and has not ended."""

    call: Call
    share: str = ""


@dataclass(slots=True)
class _Wave:
    """An execution.

    Attributes:
        arn: its ARN.
        shares: those without an end so far, with the numbers of their calls.
        ended: when it was seen to have ended.
        why: what it ended with, if not well.
        dropped: names of shares that may still run calls that nobody wants.
    """

    arn: str
    shares: dict[str, set[int]] = field(default_factory=dict)
    ended: float | None = None
    why: str = ""
    dropped: set[str] = field(default_factory=set)


class StackWorkers:
    """The workers of one executor on a stack; the same methods as those of a machine.

    Attributes:
        job: the job's name.
        size: how many calls can run at once.
        store: what its calls may read and write.
        packages: what is there besides Python and mu.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        workers: int | None = None,
        memory_mb: int | None = None,
        architecture: str | None = None,
        per_worker: int = 1,
        channel: str = STORE,
        packages: Sequence[Entry] = (),
    ) -> None:
        """Begins a job.

        Args:
            deployment: the stack.
            workers: the most that may run at once; None for what the account has.
            memory_mb: memory of a call; None for the smallest workers.
            architecture: of the workers; None for the stack's own.
            per_worker: how many calls share a worker's memory and processors at the same time.
            channel: see `Deployment.channel`.
            packages: what calls import beside what is there.

        Raises:
            StackError: the stack has no such workers, or AWS does not answer.
            PackageError: a package is not to be had for them.
            StoreError: a package cannot be stored.
            ChannelClosed: the server does not answer.
            ChannelRefused: there is no such channel, or the server refuses the user.
        """
        if deployment.timeout_s <= SPARE_S:
            # An environment that has so little time left begins no call.
            raise StackError(
                f"workers of {deployment.name} end after {deployment.timeout_s} s: executors need "
                f"a timeout_s of more than {SPARE_S:g}"
            )
        self.job = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        self.deployment = deployment
        self._keys = Keys(self.job)
        self._architecture = architecture or deployment.architecture
        self._sizes = deployment.sizes(self._architecture)
        self._memory_mb = deployment.fitting(self._architecture, memory_mb or 0)
        most = most_at_once()
        self.size = min(workers or most, max(1, most - _KEPT_FREE))
        self.packages = frozenset(deployment.packages.get(self._architecture, ()))
        self._bucket = S3Store(deployment.bucket)
        stored = self._stored_packages(packages) if packages else []
        self.store: Store = StoreBelow(self._bucket, self._keys.data)
        self._channel_url, self.channel = begin_channel(
            deployment.channel(channel), self.store, self._keys.messages
        )
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._queue: deque[tuple[float, tuple[Call, ...]]] = deque()
        self._sent: dict[int, _Sent] = {}
        self._number_of: dict[Call, int] = {}
        self._waves: list[_Wave] = []
        self._dropped: set[int] = set()
        self._told: set[int] = set()
        self._cancelled = False
        self._closed = False
        self._lease = Lease(self._bucket, self._keys, lambda: bool(self._sent))
        self._requests = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="mu request")
        self._sender = Sender(
            deployment,
            self._keys,
            self._bucket,
            self._requests,
            architecture=self._architecture,
            memory_mb=self._memory_mb,
            size=self.size,
            per_worker=per_worker,
            packages=stored,
        )
        self._thread = threading.Thread(target=self._serve, name="mu stack", daemon=True)
        self._thread.start()

    def _stored_packages(self, packages: Sequence[Entry]) -> list[Stored]:
        """Bring packages to the store; `packages` has their modules from now on."""
        deployment, architecture = self.deployment, self._architecture
        if not deployment.kept_days:
            raise PackageError(
                f"workers of {deployment.name} take no packages: deploy it again with this version"
            )
        with tempfile.TemporaryDirectory(prefix="mu-") as folder:
            found = collect(
                packages,
                Path(folder),
                architecture=architecture,
                python=deployment.python,
                there=deployment.versions.get(architecture, {}),
            )
            self.packages = self.packages.union(*(one.modules for one in found))
            return upload(self._bucket, found, deployment.kept_days)

    # ---- as every executor's workers ----

    def check(self, function: bytes) -> None:
        """Refuse a function whose bytecode the workers' Python does not know."""
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if here != self.deployment.python and travels_by_value(function):
            raise StackError(
                f"functions of scripts travel as bytecode: this is Python {here}, and the workers "
                f"of {self.deployment.name} have {self.deployment.python}. Use that here, or "
                f"deploy with -c python={here}"
            )

    def submit(self, *calls: Call) -> None:
        """Run a call, or several that begin together."""
        if len(calls) > self.size:
            raise NotEnoughConcurrency(f"{len(calls)} calls cannot run at once: {self.size} can")
        with self._changed:
            if self._closed:
                raise RuntimeError("the workers are closed")
            self._queue.append((time.monotonic(), calls))
            self._changed.notify_all()

    def cancel(self, call: Call) -> None:
        """End a call, which may wait or run; no harm if it has ended."""
        with self._changed:
            if call.over:
                return
            found = self._number_of.get(call)
            if found is None:
                call.over = True  # it is still to be submitted, or waits to be sent
            else:
                self._take(found, dropped=True)
                self._changed.notify_all()
        call.ended(Cancelled())

    def close(self) -> None:
        """End all calls, and remove what nobody needs any more."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            left = [call for _, calls in self._queue for call in calls if not call.over]
            left += [one.call for one in self._sent.values()]
            for call in left:
                call.over = True
            for wave in self._waves:
                wave.dropped.update(wave.shares)
            self._queue.clear()
            self._sent.clear()
            self._changed.notify_all()
        self._thread.join()
        self._lease.close()
        unwanted = bool(left or self._dropped or self._cancelled)
        refused = contextlib.suppress(StoreError, StackError)  # the rest is tried all the same
        with refused:
            if unwanted:
                write_stop(self._bucket, self._keys, everything=True)
        for wave in self._waves:
            with refused:
                if wave.ended is None:
                    stop_execution(wave.arn, "nobody wants the results")
        with refused:
            self._await_ends({share for wave in self._waves for share in wave.dropped})
            self._remove(all_ended=not unwanted)
        self.channel.close()
        self._requests.shutdown()
        for call in left:
            call.ended(Cancelled())

    def member(self, gang: str, rank: int, size: int) -> dict[str, Any]:
        """What the worker of a gang's member is told."""
        return {
            "job": self._keys.messages, "channel": self._channel_url, "gang": gang, "rank": rank,
            "size": size, "roll_call_s": ROLL_CALL_S,
        }  # fmt: skip

    def staging(self) -> Staging:
        """Through what files of this machine reach workers."""
        return Staging(self.deployment.bucket, self._keys.data)

    def timeline(self, name: str) -> TimelineWriter:
        """See `Workers.timeline`; the job's own name comes before it."""
        if not _TIMELINE.fullmatch(name):
            raise ValueError(
                f"timeline {name!r}: on a stack it is a name of letters, digits, '.', '_' and '-', "
                "60 at most"
            )
        prefix = f"{STACK_PLACE}/{self.job}-{name}"
        return TimelineWriter(self._bucket, prefix, REQUESTS_AT_ONCE)

    def more_memory(self, memory_mb: int | None) -> int | None:
        """The next larger size of a worker; None if there is none."""
        now = memory_mb or self._memory_mb
        return next((size for size in self._sizes if size > now), None)

    # ---- in the thread of the workers ----

    def _serve(self) -> None:
        poll_s = _FIRST_POLL_S
        polled = described = time.monotonic()
        unanswered: float | None = None
        while True:
            with self._changed:
                if not self._closed:
                    self._changed.wait(self._pause_s(polled + poll_s))
                if self._closed:
                    return
                waves = self._gathered()
                waiting = bool(self._sent) or bool(waves)
                dropped = self._dropped - self._told
            for wave in waves:
                self._start(wave)
                poll_s = _FIRST_POLL_S
            now = time.monotonic()
            if not waiting and not dropped:
                unanswered = None
                continue
            try:
                if dropped:
                    write_stop(self._bucket, self._keys, everything=False, calls=self._dropped)
                    self._told |= dropped
                if now >= polled + poll_s:
                    polled = now
                    poll_s = min(_LONGEST_POLL_S, poll_s * 1.2)
                    self._poll()
                if now >= described + _DESCRIBE_S:
                    described = now
                    self._describe()
                unanswered = None
            except (StoreError, StackError) as error:
                # Not since the last answer: this process may have been asleep after it.
                unanswered = now if unanswered is None else unanswered
                if now - unanswered > _UNANSWERED_S:
                    self._fail(list(self._sent), CallFailed(type(error).__name__, str(error)))
            except Exception as error:  # a fault of ours must leave nobody waiting
                failure = CallFailed(type(error).__name__, str(error), traceback.format_exc())
                self._fail(list(self._sent), failure)

    def _pause_s(self, next_poll: float) -> float | None:
        times = []
        if self._queue:
            times.append(min(self._queue[-1][0] + _QUIET_S, self._queue[0][0] + _GATHER_S))
        if self._sent or self._dropped > self._told:
            times.append(next_poll)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _gathered(self) -> list[list[int]]:
        """The calls of the next waves, if it is time for them; those that begin together apart."""
        now = time.monotonic()
        if not self._queue or (
            now < self._queue[-1][0] + _QUIET_S and now < self._queue[0][0] + _GATHER_S
        ):
            return []
        together = [calls for _, calls in self._queue if len(calls) > 1]
        single = [calls[0] for _, calls in self._queue if len(calls) == 1]
        self._queue.clear()
        return [self._numbered(calls) for calls in ([single] if single else []) + together]

    def _numbered(self, calls: Sequence[Call]) -> list[int]:
        """Numbers of calls that are now sent; those that were cancelled meanwhile get none."""
        with self._changed:
            numbers = []
            for call in calls:
                if not call.over:
                    number = next(self._numbers)
                    self._sent[number] = _Sent(call)
                    self._number_of[call] = number
                    numbers.append(number)
            return numbers

    # ---- waves ----

    def _start(self, numbers: Sequence[int], *, alone: bool = False) -> None:
        """Send calls to workers.

        Args:
            numbers: of one or more; members of a gang are always alone in their shares.
            alone: whether each is alone in its share.
        """
        try:
            self._start_wave(numbers, alone=alone)
        except Exception as error:
            failure = CallFailed(type(error).__name__, str(error), traceback.format_exc())
            self._fail(numbers, failure)

    def _start_wave(self, numbers: Sequence[int], *, alone: bool) -> None:
        with self._changed:
            sent = {number: self._sent[number].call for number in numbers if number in self._sent}
        if not sent:
            return  # cancelled meanwhile
        self._lease.hold()
        arn, shares = self._sender.send(sent, alone=alone)
        with self._changed:
            begun = _Wave(arn)
            for share, some in shares.items():
                left = {number for number in some if number in self._sent}
                if len(left) < len(some):
                    begun.dropped.add(share)
                for number in left:
                    self._sent[number].share = share
                if left:
                    begun.shares[share] = left
            self._waves.append(begun)
        for call in sent.values():
            call.started("")

    # ---- what became of them ----

    def _poll(self) -> None:
        """Read what has been written since the last time."""
        keys = self._bucket.list(self._keys.outcomes) + self._bucket.list(self._keys.lost)
        for key, data in zip(keys, self._requests.map(self._bucket.get, keys), strict=True):
            if key.startswith(self._keys.lost):
                self._lost(key.removeprefix(self._keys.lost), _failure_of(data))
                continue
            again = []
            for one in read_outcomes(bytearray(data)):
                call = self._take(one.number, again=one.outcome is None)
                if call is None:
                    continue  # cancelled, or run twice
                if one.outcome is None:
                    again.append(call)
                else:
                    call.told(one.facts)
                    call.ended(one.outcome)
            if again and not self._cancelled_elsewhere(again):
                self._start(self._numbered(again))
        self._bucket.delete_all(keys)
        self._forget_ended_waves()

    def _lost(self, share: str, failure: CallFailed) -> None:
        """A share's environment has ended in the middle of it."""
        with self._changed:
            numbers = [number for number, one in self._sent.items() if one.share == share]
        if len(numbers) == 1:
            self._fail(numbers, failure)
            return
        # Nobody knows which of them it was.
        calls = [call for number in numbers if (call := self._take(number, again=True)) is not None]
        if calls:
            self._start(self._numbered(calls), alone=True)

    def _describe(self) -> None:
        """Find executions that have ended without an answer for all of their shares."""
        now = time.monotonic()
        for wave in self._waves:
            if wave.ended is None:
                with explained("states:DescribeExecution"):
                    told = client("stepfunctions").describe_execution(executionArn=wave.arn)
                if told["status"] == "ABORTED" and self._cancelled_elsewhere():
                    return
                if told["status"] in _FINAL:
                    wave.ended = now
                    wave.why = f"{told.get('error', told['status'])}: {told.get('cause', '')}"
            elif now - wave.ended > _GRACE_S:
                if self._cancelled_elsewhere():  # its workers had ended before it was stopped
                    return
                numbers = [number for some in wave.shares.values() for number in some]
                why = f"its execution ended without an answer: {wave.why}"
                self._fail(numbers, CallFailed("WorkerDied", why))
        self._forget_ended_waves()

    def _cancelled_elsewhere(self, more: Iterable[Call] = ()) -> bool:
        """Whether somebody has cancelled the whole job, as `mu cancel` does; then all calls end.

        Args:
            more: calls that have come back.
        """
        if not read_stop(self._bucket, self._keys)[0]:
            return False
        with self._changed:
            self._cancelled = True
            for wave in self._waves:
                wave.dropped.update(wave.shares)
        self._fail([*self._numbered(list(more)), *self._sent], Cancelled())
        return True

    def _forget_ended_waves(self) -> None:
        self._waves = [
            wave for wave in self._waves if wave.shares or (wave.dropped and wave.ended is None)
        ]

    def _take(self, number: int, *, dropped: bool = False, again: bool = False) -> Call | None:
        """A call that has ended, for whatever reason; None if it has before.

        Args:
            number: its number.
            dropped: whether it has not ended, but nobody wants it.
            again: whether it has not ended, but comes back to be sent again.
        """
        with self._changed:
            sent = self._sent.pop(number, None)
            if sent is None:
                return None
            del self._number_of[sent.call]
            sent.call.over = not again
            if dropped:
                self._dropped.add(number)
            for wave in self._waves:
                if sent.share in wave.shares:
                    if dropped:
                        wave.dropped.add(sent.share)
                    wave.shares[sent.share].discard(number)
                    if not wave.shares[sent.share]:
                        del wave.shares[sent.share]
                    break
            return sent.call

    def _fail(self, numbers: Iterable[int], failure: CallFailed) -> None:
        for number in list(numbers):
            call = self._take(number)
            if call is not None:
                call.ended(failure)

    # ---- the end ----

    def _await_ends(self, shares: set[str]) -> None:
        """Wait for workers that end what nobody wants; the record is the last that they write.

        Args:
            shares: names of those that may run. Some never do, which nobody knows.
        """
        until = time.monotonic() + _ENDING_S
        while shares and time.monotonic() < until:
            time.sleep(_FIRST_POLL_S)
            recorded = self._bucket.list(self._keys.records)
            shares -= {key.rpartition("/")[2].removesuffix(".json") for key in recorded}

    def _remove(self, *, all_ended: bool) -> None:
        """Remove the job's objects but its records; those of late workers expire."""
        kept = (self._keys.records, *(() if all_ended else (self._keys.stop,)))
        self._bucket.delete_all(
            key for key in self._bucket.list(self._keys.prefix) if not key.startswith(kept)
        )


def _failure_of(data: bytes) -> CallFailed:
    """Why a share was lost, as the state machine wrote it."""
    told = json.loads(data)
    if isinstance(told, str):
        told = json.loads(told)
    error, cause = told.get("Error", ""), told.get("Cause", "")
    with contextlib.suppress(ValueError, AttributeError):
        cause = json.loads(cause)["errorMessage"]
    if error in _TIMED_OUT:
        return CallFailed("TaskTimeout", f"the worker's function was ended: {cause}")
    return CallFailed("WorkerDied", f"the worker's function failed with {error}: {cause}")
