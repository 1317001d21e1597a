"""A pool of worker processes for asyncio that knows which task each worker runs."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mu.engines.worker import LENGTH, pack

_BOOT = (
    "import json, os, sys; sys.path[:] = json.loads(os.environ.pop('MU_SYS_PATH')); "
    "from mu.engines.worker import main; main(int(sys.argv[1]))"
)


class CallFailed(Exception):
    """A call returned no result; `error` is the class name of the reason."""

    def __init__(self, error: str, message: str, details: str = "") -> None:
        super().__init__(error, message, details)
        self.error = error
        self.message = message
        self.details = details


@dataclass(order=True)
class _Call:
    """A call that waits for a worker; the lowest `priority` goes first."""

    priority: tuple[int, ...]
    number: int
    message: dict[str, Any] = field(compare=False)
    started: Callable[[str], None] = field(compare=False)
    report: Callable[[dict[str, Any]], None] = field(compare=False)
    answer: asyncio.Future[Any] = field(compare=False)
    timeout_s: float | None = field(compare=False, default=None)


class _Worker:
    """One child process and the parent's end of its socket."""

    def __init__(self, store_url: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # With a process group of its own, Ctrl-C at the terminal reaches only the
            # parent, and killing the group ends whatever a task has started.
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env={**os.environ, "MU_SYS_PATH": json.dumps(sys.path)},
                process_group=0,
            )
        self._socket = ours
        self._first = pack({"store": store_url})
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def name(self) -> str:
        return f"process {self.process.pid}"

    async def call(self, message: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> Any:
        """Send one call and wait for its answer."""
        try:
            if self._reader is None:
                self._reader, self._writer = await asyncio.open_connection(sock=self._socket)
                self._writer.write(self._first)
            assert self._writer is not None
            self._writer.write(pack(message))
            await self._writer.drain()
            while True:
                (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
                answer = json.loads(await self._reader.readexactly(size))
                if "report" not in answer:
                    break
                report(answer["report"])
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise CallFailed("WorkerDied", self._obituary()) from error
        if "error" in answer:
            raise CallFailed(answer["error"], answer["message"], answer["details"])
        return answer

    def _obituary(self) -> str:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return f"{self.name} closed its connection"
        if code < 0:
            return f"{self.name} was killed by {signal.Signals(-code).name}"
        return f"{self.name} ended with exit code {code}"

    def stop(self) -> None:
        """Kill the process and all its children, and wait for its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._writer is not None:
            self._writer.close()
        else:
            self._socket.close()


class WorkerPool:
    """Runs calls on at most `size` processes, each started when first needed."""

    def __init__(self, size: int, store_url: str) -> None:
        self._size = size
        self._store_url = store_url
        self._waiting: list[_Call] = []
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()

    async def call(
        self,
        message: dict[str, Any],
        *,
        priority: tuple[int, ...],
        timeout_s: float | None,
        started: Callable[[str], None],
        report: Callable[[dict[str, Any]], None],
    ) -> Any:
        """Run one call on some worker and return its answer: `result` and `marks`.

        Raises:
            CallFailed: the task raised, took too long (`TaskTimeout`), or its worker ended
                (`WorkerDied`).
        """
        answer = asyncio.get_running_loop().create_future()
        call = _Call(priority, next(self._numbers), message, started, report, answer, timeout_s)
        heapq.heappush(self._waiting, call)
        self._dispatch()
        return await answer

    def _dispatch(self) -> None:
        while self._waiting and (self._idle or len(self._all) < self._size):
            call = heapq.heappop(self._waiting)
            if call.answer.done():  # cancelled while it waited
                continue
            worker = self._idle.pop() if self._idle else _Worker(self._store_url)
            self._all.add(worker)
            running = asyncio.create_task(self._run(worker, call))
            self._running.add(running)
            running.add_done_callback(self._running.discard)

    async def _run(self, worker: _Worker, call: _Call) -> None:
        call.started(worker.name)
        failure: CallFailed | None = None
        answer: Any = None
        try:
            answer = await asyncio.wait_for(
                worker.call(call.message, call.report), timeout=call.timeout_s
            )
        except TimeoutError:
            failure = CallFailed("TaskTimeout", f"took longer than {call.timeout_s} s")
        except CallFailed as error:
            failure = error
        if failure is not None and failure.error in ("TaskTimeout", "WorkerDied"):
            self._all.discard(worker)
            worker.stop()
        else:
            self._idle.append(worker)
        if not call.answer.done():
            if failure is None:
                call.answer.set_result(answer)
            else:
                call.answer.set_exception(failure)
        self._dispatch()

    def stop(self) -> None:
        """Kill every worker; nothing is left running when this returns."""
        for running in self._running:
            running.cancel()
        for worker in self._all:
            worker.stop()
        self._all.clear()
        self._idle.clear()
