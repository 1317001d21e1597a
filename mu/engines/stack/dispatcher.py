"""Sends a job's calls to a stack in waves, and finds out what became of them.

A thread gathers the calls that are submitted within a moment into a wave: one execution of the
state machine, with a share for each environment. It then lists what became of them, and removes
what it has read, so that it lists nothing twice.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

from mu.engines.call import Call, CallFailed, Cancelled
from mu.engines.stack.deployment import client, explained, stop_execution
from mu.engines.stack.lease import Lease
from mu.engines.stack.sender import Sender
from mu.engines.stack.sent import Sent
from mu.engines.stack.share import Keys, read_lost, read_outcomes, read_stop, write_stop
from mu.errors import StackError, StoreError
from mu.store.protocol import Store

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

_FINAL = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


class Dispatcher:
    """Dispatches the calls of one job; any thread may use it."""

    def __init__(self, keys: Keys, bucket: Store, sender: Sender, requests: Executor) -> None:
        """Begins with none.

        Args:
            keys: of the job.
            bucket: where they are.
            sender: sends a wave.
            requests: runs requests beside each other.
        """
        self._keys = keys
        self._bucket = bucket
        self._sender = sender
        self._requests = requests
        self._changed = threading.Condition()
        self._queue: deque[tuple[float, tuple[Call, ...]]] = deque()
        self._sent = Sent(self._changed)
        self._told: set[int] = set()
        self._cancelled = False
        self._closed = False
        self._lease = Lease(bucket, keys, lambda: bool(self._sent))
        self._thread = threading.Thread(target=self._serve, name="mu stack", daemon=True)
        self._thread.start()

    def submit(self, *calls: Call) -> None:
        """Run a call, or several that begin together."""
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
            if self._sent.drop(call):
                self._changed.notify_all()
            else:
                call.over = True  # it is still to be submitted, or waits to be sent
        call.ended(Cancelled())

    def close(self) -> list[Call] | None:
        """End all calls, and remove what nobody needs any more.

        Returns:
            The calls that had not ended; nobody has told them so. None if this was closed before.
        """
        with self._changed:
            if self._closed:
                return None
            self._closed = True
            left = [call for _, calls in self._queue for call in calls if not call.over]
            left += self._sent.drop_all()
            for call in left:
                call.over = True
            self._queue.clear()
            self._changed.notify_all()
        self._thread.join()
        self._lease.close()
        unwanted = bool(left or self._sent.dropped or self._cancelled)
        waves = self._sent.waves
        refused = contextlib.suppress(StoreError, StackError)  # the rest is tried all the same
        with refused:
            if unwanted:
                write_stop(self._bucket, self._keys, everything=True)
        for wave in waves:
            with refused:
                if wave.ended is None:
                    stop_execution(wave.arn, "nobody wants the results")
        with refused:
            self._await_ends({share for wave in waves for share in wave.dropped})
            self._remove(all_ended=not unwanted)
        return left

    # ---- in its thread ----

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
                dropped = self._sent.dropped - self._told
            for wave in waves:
                self._start(wave)
                poll_s = _FIRST_POLL_S
            now = time.monotonic()
            if not waiting and not dropped:
                unanswered = None
                continue
            try:
                if dropped:
                    write_stop(self._bucket, self._keys, everything=False, calls=self._sent.dropped)
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
                    self._fail(self._sent.numbers(), CallFailed(type(error).__name__, str(error)))
            except Exception as error:  # a fault of ours must leave nobody waiting
                failure = CallFailed(type(error).__name__, str(error), traceback.format_exc())
                self._fail(self._sent.numbers(), failure)

    def _pause_s(self, next_poll: float) -> float | None:
        times = []
        if self._queue:
            times.append(min(self._queue[-1][0] + _QUIET_S, self._queue[0][0] + _GATHER_S))
        if self._sent or self._sent.dropped > self._told:
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
        return [self._sent.number(calls) for calls in ([single] if single else []) + together]

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
        sent = self._sent.calls(numbers)
        if not sent:
            return  # cancelled meanwhile
        self._lease.hold()
        arn, shares = self._sender.send(sent, alone=alone)
        self._sent.begin_wave(arn, shares)
        for call in sent.values():
            call.started("")

    # ---- what became of them ----

    def _poll(self) -> None:
        """Read what has been written since the last time."""
        keys = self._bucket.list(self._keys.outcomes) + self._bucket.list(self._keys.lost)
        for key, data in zip(keys, self._requests.map(self._bucket.get, keys), strict=True):
            if key.startswith(self._keys.lost):
                self._lost(key.removeprefix(self._keys.lost), read_lost(data))
                continue
            again = []
            for one in read_outcomes(bytearray(data)):
                call = self._sent.take(one.number, again=one.outcome is None)
                if call is None:
                    continue  # cancelled, or run twice
                if one.outcome is None:
                    again.append(call)
                else:
                    call.told(one.facts)
                    call.ended(one.outcome)
            if again and not self._cancelled_elsewhere(again):
                self._start(self._sent.number(again))
        self._bucket.delete_all(keys)
        self._sent.forget_ended_waves()

    def _lost(self, share: str, failure: CallFailed) -> None:
        """A share's environment has ended in the middle of it."""
        numbers = self._sent.numbers(share)
        if len(numbers) == 1:
            self._fail(numbers, failure)
            return
        # Nobody knows which of them it was.
        calls = [
            call for number in numbers if (call := self._sent.take(number, again=True)) is not None
        ]
        if calls:
            self._start(self._sent.number(calls), alone=True)

    def _describe(self) -> None:
        """Find executions that have ended without an answer for all of their shares."""
        now = time.monotonic()
        for wave in self._sent.waves:
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
        self._sent.forget_ended_waves()

    def _cancelled_elsewhere(self, more: Iterable[Call] = ()) -> bool:
        """Whether somebody has cancelled the whole job, as `mu cancel` does; then all calls end.

        Args:
            more: calls that have come back.
        """
        if not read_stop(self._bucket, self._keys)[0]:
            return False
        with self._changed:
            self._cancelled = True
            self._sent.drop_shares()
        self._fail([*self._sent.number(list(more)), *self._sent.numbers()], Cancelled())
        return True

    def _fail(self, numbers: Iterable[int], failure: CallFailed) -> None:
        for number in list(numbers):
            call = self._sent.take(number)
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
