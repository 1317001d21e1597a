"""Workers that are functions of a stack, each called by this process, which waits for its answer.

The payload is that of a state machine's task, so the functions cannot tell who calls them.
"""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from mu.commands.staging import Staging
from mu.copies import SHARE, few, slow_s
from mu.engines.call import Answer, Call, CallFailed, Cancelled
from mu.errors import StackError
from mu.messages.opening import Director
from mu.store.protocol import Store
from mu.timelines import TimelineWriter

Invoke = Callable[[str, bytes], Any]
"""Calls a function, by its ARN, with a payload; returns what it returns, or raises `CallFailed`."""

_SERVER_ERROR = 500


def lambda_invoke(at_once: int, timeout_s: float) -> Invoke:
    """Calls functions of AWS Lambda.

    Args:
        at_once: how many calls may be under way.
        timeout_s: after which a call has no answer any more.
    """
    client = boto3.client(
        "lambda",
        config=Config(
            max_pool_connections=at_once,
            read_timeout=timeout_s,
            # A call that is sent again would run twice. Who asked for it tries again.
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
        ),
    )

    def invoke(function: str, payload: bytes) -> Any:
        try:
            answer = client.invoke(FunctionName=function, Payload=payload)
            found = json.loads(answer["Payload"].read())
        except ReadTimeoutError as error:
            raise CallFailed("States.Timeout", str(error)) from error
        except BotoCoreError as error:
            raise CallFailed("Lambda.SdkClientException", str(error)) from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR:
                code = "ServiceException"
            raise CallFailed(f"Lambda.{code}", str(error)) from error
        if "FunctionError" in answer:
            error_type = found.get("errorType", "Lambda.Unknown")
            raise CallFailed(error_type, found.get("errorMessage", ""))
        return found

    return invoke


@dataclass(eq=False, slots=True)
class _Live:
    """A call that has not ended.

    Attributes:
        call: it.
        entered: Unix time when it was submitted.
        began: when its first attempt was sent, by the monotonic clock; None before.
        attempts: that are queued or under way.
        copied: whether there is a second one.
    """

    call: Call
    entered: float
    began: float | None = None
    attempts: int = 1
    copied: bool = False


class DirectWorkers:
    """Workers of which each is a call of a function.

    Attributes:
        job: "".
        size: how many calls can run at once.
        store: what maps read their lists from.
        packages: None.
        functions: their ARNs.
        copies: how many second copies have begun.
    """

    def __init__(
        self,
        functions: Mapping[str, Sequence[str]],
        store: Store,
        invoke: Invoke,
        *,
        size: int,
        hedge: float = SHARE,
    ) -> None:
        """Begins with no calls.

        Args:
            functions: the ARNs of each function, in each of its sizes; see `mu.Task.size`.
            store: see there.
            invoke: calls a function.
            size: see there.
            hedge: see `mu.copies.SHARE`; 0 for no copies.
        """
        self.job = ""
        self.size = size
        self.store = store
        self.packages: Collection[str] | None = None
        self.copies = 0
        self.functions = functions
        self._invoke = invoke
        self._hedge = hedge
        lock = threading.Lock()
        self._queued = threading.Condition(lock)
        self._ended = threading.Condition(lock)
        self._queue: list[tuple[tuple[int, ...], int, _Live, bool]] = []
        self._numbers = itertools.count()
        self._live: dict[Call, _Live] = {}
        self._begun: Counter[str] = Counter()
        self._copied: Counter[str] = Counter()
        self._took: defaultdict[str, list[float]] = defaultdict(list)
        self._threads: list[threading.Thread] = []
        self._idle = self._busy = self._most_busy = 0
        self._closed = False

    # ---- as every executor's workers ----

    def check(self, function: bytes) -> None:
        """Refuse a packed function: the stack has its own."""
        raise StackError("functions that a stack calls are its own; name one of them")

    def submit(self, *calls: Call) -> None:
        """Run calls as soon as there is room for them."""
        with self._queued:
            if self._closed:
                raise RuntimeError("the workers are closed")
            for call in calls:
                self._live[call] = live = _Live(call, time.time())
                self._begun[call.task] += 1
                self._put(live, copy=False)

    def cancel(self, call: Call) -> None:
        """Forget a call; one that is under way runs on, but nobody hears of its end."""
        with self._queued:
            if call.over:
                return
            call.over = True
            self._live.pop(call, None)
        call.ended(Cancelled())

    def close(self) -> None:
        """Begin no further calls. Those under way cannot be ended; see `drain`."""
        with self._queued:
            self._closed = True
            left = [one.call for one in self._live.values()]
            self._queue.clear()
            self._queued.notify_all()
        for call in left:
            self.cancel(call)

    def member(self, gang: str, rank: int, size: int) -> dict[str, Any]:
        """Refuse a gang."""
        raise StackError("these workers run no gangs")

    @property
    def channel(self) -> Director:
        """Refuse a gang."""
        raise StackError("these workers run no gangs")

    def staging(self) -> Staging | None:
        """None."""
        return None

    def timeline(self, name: str) -> TimelineWriter:
        """Refuse: the functions themselves store the records of their tasks."""
        raise StackError("these workers store the records of their tasks themselves")

    def more_memory(self, memory_mb: int | None) -> int | None:
        """None: a task of a flow chooses its size itself."""
        return None

    # ---- beside that ----

    def drain(self, until: float) -> bool:
        """Wait for the calls that are under way, whoever wants their results.

        Args:
            until: for how long, by the monotonic clock.

        Returns:
            Whether none is under way.
        """
        with self._queued:
            return self._ended.wait_for(
                lambda: not self._busy, timeout=max(0.0, until - time.monotonic())
            )

    def copy_slow(self) -> None:
        """Begin second copies of the slowest few calls, if they take no other call's place."""
        now = time.monotonic()
        with self._queued:
            if self._closed or self._queue:
                return
            left: defaultdict[str, list[_Live]] = defaultdict(list)
            for live in self._live.values():
                left[live.call.task].append(live)
            for task, some in left.items():
                most = few(self._hedge, self._begun[task])
                if len(some) > most or not self._took[task]:
                    continue
                late = now - slow_s(self._took[task])
                for live in some:
                    room = self._busy + len(self._queue) < self._most_busy
                    free = room and not live.copied and self._copied[task] < most
                    if free and live.began is not None and live.began <= late:
                        live.copied = True
                        live.attempts += 1
                        self.copies += 1
                        self._copied[task] += 1
                        self._put(live, copy=True)

    def _put(self, live: _Live, *, copy: bool) -> None:
        """Queue an attempt, and have a thread for it; the lock is held."""
        heapq.heappush(self._queue, (live.call.priority, next(self._numbers), live, copy))
        if self._idle < len(self._queue) and len(self._threads) < self.size:
            thread = threading.Thread(target=self._work, name="mu call", daemon=True)
            self._threads.append(thread)
            self._idle += 1
            thread.start()
        else:
            self._queued.notify()

    def _work(self) -> None:
        while True:
            with self._queued:
                self._queued.wait_for(lambda: self._queue or self._closed)
                self._idle -= 1
                if self._closed:
                    return
                _, _, live, copy = heapq.heappop(self._queue)
                if live.call.over:
                    self._idle += 1
                    continue
                self._busy += 1
                self._most_busy = max(self._most_busy, self._busy)
                if live.began is None:
                    live.began = time.monotonic()
            began = time.monotonic()
            outcome = self._outcome(live, copy=copy)
            with self._queued:
                self._busy -= 1
                self._idle += 1
                live.attempts -= 1
                call = live.call
                # Of two that do the same, the failure of one counts only if the other fails, too.
                counts = not call.over and (isinstance(outcome, Answer) or not live.attempts)
                if counts:
                    call.over = True
                    self._live.pop(call, None)
                    if isinstance(outcome, Answer):
                        self._took[call.task].append(time.monotonic() - began)
                self._ended.notify_all()
            if counts:
                call.ended(outcome)

    def _outcome(self, live: _Live, *, copy: bool) -> Answer | CallFailed:
        call = live.call
        call.started("")
        payload = {
            "event": call.head["event"],
            "state": {
                "name": call.task,
                "entered": datetime.fromtimestamp(live.entered, UTC).isoformat(),
                # A copy is recorded as what it is for who counts: a further attempt.
                "retries": call.attempt - 1 + copy,
            },
        }
        try:
            function = self.functions[call.head["function"]][call.head.get("size", 0)]
            result = self._invoke(function, json.dumps(payload).encode())
        except CallFailed as error:
            return error
        except Exception as error:  # a fault of ours must leave nobody waiting
            return CallFailed(type(error).__name__, str(error))
        return Answer({"result": result, "marks": {}}, memoryview(b""))
