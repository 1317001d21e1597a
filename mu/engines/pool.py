"""A pool of worker processes that any thread may use, and that knows which call each one runs."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mu.engines import wire
from mu.machine import end_with_descendants
from mu.records import Facts
from mu.store.protocol import Buffer

_BOOT = (
    "import json, os, sys; sys.path[:] = json.loads(os.environ.pop('MU_SYS_PATH')); "
    "from mu.engines.worker import main; main(int(sys.argv[1]))"
)


class CallFailed(Exception):
    """A call returned no result; `error` is the class name of the reason.

    `log` has the last lines that it printed, if its workers keep them.
    """

    def __init__(self, error: str, message: str, details: str = "", log: str = "") -> None:
        super().__init__(error, message, details, log)
        self.error = error
        self.message = message
        self.details = details
        self.log = log


class Cancelled(CallFailed):
    """Nobody wants the result any more."""

    def __init__(self) -> None:
        super().__init__("Cancelled", "the call was cancelled")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call returned.

    Attributes:
        head: its `result`, if that is JSON, and its `marks`.
        body: its packed result, if it is not.
    """

    head: dict[str, Any]
    body: memoryview


@dataclass(eq=False, slots=True)
class Call:
    """One call, from when it is asked for to its end. Its functions are called in other threads.

    Attributes:
        head: what the worker is told, as JSON.
        body: packed arguments.
        ended: is given the answer, or why there is none; called once.
        started: is given the worker's name.
        reported: is given what the task reports while it runs.
        told: is given what else is known of it, before `ended`, by workers of a stack.
        priority: the call with the lowest goes first.
        timeout_s: seconds after which its worker is stopped.
        memory_mb: what it needs at least; None for what workers have. Those of one machine share
            all of it.
    """

    head: dict[str, Any]
    ended: Callable[[Answer | CallFailed], None]
    body: Sequence[Buffer] = ()
    started: Callable[[str], None] = lambda _: None
    reported: Callable[[dict[str, Any]], None] = lambda _: None
    told: Callable[[Facts], None] = lambda _: None
    priority: tuple[int, ...] = ()
    timeout_s: float | None = None
    memory_mb: int | None = None


@dataclass(order=True, slots=True)
class _Waiting:
    """Calls that begin at the same moment."""

    priority: tuple[int, ...]
    number: int
    calls: Sequence[Call] = field(compare=False)


class _Worker:
    """One child process and the parent's end of its socket."""

    def __init__(self, first: dict[str, Any]) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            # With a process group of its own, Ctrl-C at the terminal reaches only the
            # parent, and killing the group ends whatever a task has started.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env={**os.environ, "MU_SYS_PATH": json.dumps(sys.path)},
                process_group=0,
            )
        self._receiver = wire.Receiver(self._socket)
        self.ready = False
        self.call: Call | None = None
        self.until: float | None = None
        wire.send(self._socket, first)

    @property
    def name(self) -> str:
        return f"process {self._process.pid}"

    def fileno(self) -> int:
        return self._socket.fileno()

    def begin(self, call: Call) -> None:
        """Send a call. If the worker is dead, whoever reads from it finds out."""
        with contextlib.suppress(OSError):
            wire.send(self._socket, call.head, call.body)

    def receive(self) -> tuple[dict[str, Any], memoryview] | None:
        """The next message if it is there; raises `OSError` or `EOFError` if the worker ended."""
        return self._receiver.receive(socket.MSG_DONTWAIT)

    def obituary(self) -> CallFailed:
        """Why it ended."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            how = f"{self.name} closed its connection"
        else:
            how = f"{self.name} ended with exit code {code}"
            if code < 0:
                how = f"{self.name} was killed by {signal.Signals(-code).name}"
        return CallFailed("WorkerDied", how)

    def stop(self) -> None:
        """Kill the process and all its children, and wait for its end."""
        if self._process.poll() is None:
            # Programs have process groups of their own.
            end_with_descendants([self._process.pid])
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._socket.close()


class WorkerPool:
    """Runs calls on at most `size` processes, each started when first needed."""

    def __init__(self, size: int, first: dict[str, Any]) -> None:
        """Starts a pool.

        Args:
            size: number of processes.
            first: what every worker is told before its first call.
        """
        self.size = size
        self._first = first
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="mu pool", daemon=True)
        self._thread.start()

    def submit(self, *calls: Call) -> None:
        """Run a call on some worker, as soon as there is one.

        Several calls begin together, as soon as there are enough workers, at most `size`; calls
        that came later wait for them.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            assert len(calls) <= self.size
            heapq.heappush(self._waiting, _Waiting(calls[0].priority, next(self._numbers), calls))
        self._dispatch()

    def cancel(self, call: Call) -> None:
        """End a call, which may wait or run; no harm if it has ended."""
        with self._lock:
            for waiting in self._waiting:
                if call in waiting.calls:
                    waiting.calls = [one for one in waiting.calls if one is not call]
                    break
            else:
                for worker in self._all:
                    if worker.call is call:
                        break
                else:
                    return
                self._forget(worker)
                worker.stop()
        call.ended(Cancelled())
        self._dispatch()

    def close(self) -> None:
        """Kill every worker and cancel every call; nothing is left running when this returns."""
        with self._lock:
            self._closed = True
            left = [call for waiting in self._waiting for call in waiting.calls]
            left += [worker.call for worker in self._all if worker.call is not None]
            self._waiting.clear()
            for worker in list(self._all):
                self._forget(worker)
                worker.stop()
        self._wake_up()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        for call in left:
            call.ended(Cancelled())

    # ---- in any thread ----

    def _dispatch(self) -> None:
        """Give waiting calls to workers that have none."""
        while begun := self._take():
            for worker, call in begun:
                call.started(worker.name)
                worker.begin(call)

    def _take(self) -> list[tuple[_Worker, Call]]:
        """The next calls, each with a worker; none if there are not enough workers."""
        with self._lock:
            while self._waiting and not self._waiting[0].calls:  # cancelled while they waited
                heapq.heappop(self._waiting)
            room = self.size - len(self._all) + len(self._idle)
            if not self._waiting or len(self._waiting[0].calls) > room:
                return []
            begun = []
            for call in heapq.heappop(self._waiting).calls:
                worker = self._idle.pop() if self._idle else self._new_worker()
                worker.call = call
                self._set_limit(worker)
                begun.append((worker, call))
        if any(worker.until is not None for worker, _ in begun):
            self._wake_up()
        return begun

    @staticmethod
    def _set_limit(worker: _Worker) -> None:
        """Begin to count the time of a worker's call, unless the worker is still starting."""
        if worker.ready and worker.call is not None and worker.call.timeout_s is not None:
            worker.until = time.monotonic() + worker.call.timeout_s

    def _new_worker(self) -> _Worker:
        worker = _Worker(self._first)
        self._all.add(worker)
        self._selector.register(worker, selectors.EVENT_READ, worker)
        self._wake_up()
        return worker

    def _forget(self, worker: _Worker) -> None:
        self._all.discard(worker)
        self._selector.unregister(worker)

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")

    # ---- in the pool's own thread ----

    def _serve(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(self._until_the_next_limit()):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(1 << 10)
                else:
                    self._read(key.data)
            self._end_late_calls()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _read(self, worker: _Worker) -> None:
        while True:
            try:
                message = worker.receive()
            except (OSError, EOFError):
                self._end(worker, worker.obituary(), reusable=False)
                return
            if message is None:
                return
            head, body = message
            call = worker.call
            if "ready" in head:
                with self._lock:
                    worker.ready = True
                    self._set_limit(worker)
            elif "report" in head:
                if call is not None:
                    call.reported(head["report"])
            elif "error" in head:
                self._end(worker, CallFailed(head["error"], head["message"], head["details"]))
            else:
                self._end(worker, Answer(head, body))

    def _end(self, worker: _Worker, outcome: Answer | CallFailed, *, reusable: bool = True) -> None:
        with self._lock:
            if worker not in self._all:  # cancelled meanwhile
                return
            call, worker.call, worker.until = worker.call, None, None
            if reusable:
                self._idle.append(worker)
            else:
                if worker in self._idle:
                    self._idle.remove(worker)
                self._forget(worker)
                worker.stop()
        # The next call begins before anybody looks at this one's result.
        self._dispatch()
        if call is not None:
            call.ended(outcome)

    def _until_the_next_limit(self) -> float | None:
        with self._lock:
            limits = [worker.until for worker in self._all if worker.until is not None]
        return max(0.0, min(limits) - time.monotonic()) if limits else None

    def _end_late_calls(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [one for one in self._all if one.until is not None and one.until <= now]
        for worker in late:
            call = worker.call
            if call is not None:
                failure = CallFailed("TaskTimeout", f"took longer than {call.timeout_s:g} s")
                self._end(worker, failure, reusable=False)
