"""How the pool starts worker processes, ends them, and learns how they ended.

On Linux a nursery forks them (`mu.engines.machine.nursery`). Elsewhere each is a new interpreter:
libraries of other systems do not bear a fork.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from mu.machine import end_with_descendants

_BOOT = (
    "import json, os, sys; sys.path[:] = json.loads(os.environ.pop('MU_SYS_PATH')); "
    "from mu.engines.machine.{module} import main; main(*sys.argv[1:])"
)
_LONGEST_REPORT = 64


class Processes(Protocol):
    """The worker processes of one pool, each with a name of ours. Any thread may use it."""

    def start(self, stream: socket.socket, inbox: socket.socket) -> str:
        """Start a worker with its ends of two sockets, and return its name."""

    def exit_code(self, name: str, timeout_s: float) -> int | None:
        """How it ended, a signal as a negative number; None if it does not end in time."""

    def stop(self, name: str, pid: int | None) -> None:
        """End a worker, if it has not ended, and all that it has started; waits for the end.

        Args:
            name: of the worker.
            pid: its process, if it has told.
        """

    def close(self) -> None:
        """End all that are left."""


def processes(modules: Sequence[str]) -> Processes:
    """What starts processes on this system.

    Args:
        modules: what all workers will need.
    """
    return Nursery(modules) if sys.platform == "linux" else Spawner()


def _run(
    module: str, arguments: Sequence[str], sockets: Sequence[socket.socket]
) -> subprocess.Popen[bytes]:
    descriptors = [one.fileno() for one in sockets]
    return subprocess.Popen(
        [sys.executable, "-c", _BOOT.format(module=module), *map(str, descriptors), *arguments],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=2,
        env={**os.environ, "MU_SYS_PATH": json.dumps(sys.path)},
        # With a process group of its own, Ctrl-C at the terminal reaches only the parent, and
        # killing the group ends whatever a task has started.
        process_group=0,
    )


class Nursery:
    """Processes that a nursery forks. It is started with the first of them."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._names = map(str, itertools.count())
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._started: set[str] = set()
        """Whose end has not been heard of."""
        self._orphans: set[str] = set()
        """Whose end will not be heard of: something has killed their nursery."""
        self._codes: dict[str, int] = {}

    def start(self, stream: socket.socket, inbox: socket.socket) -> str:
        """See `Processes.start`."""
        with self._lock:
            name = next(self._names)
            request, descriptors = [f"start {name}".encode()], [stream.fileno(), inbox.fileno()]
            try:
                if self._control is None:
                    raise BrokenPipeError
                socket.send_fds(self._control, request, descriptors)
            except OSError:  # there is none yet, or something has killed it
                self._close(killed=True)
                socket.send_fds(self._open(), request, descriptors)
            self._started.add(name)
            return name

    def exit_code(self, name: str, timeout_s: float) -> int | None:
        """See `Processes.exit_code`."""
        with self._lock:
            self._listen(name, timeout_s)
            return self._codes.get(name)

    def stop(self, name: str, pid: int | None) -> None:
        """See `Processes.stop`."""
        with self._lock:
            if name in self._started and self._control is not None:
                with contextlib.suppress(OSError):
                    self._control.send(f"stop {name}".encode())
                self._listen(name, None)
                if name in self._started:
                    self._close(killed=True)
            if name in self._orphans and pid is not None:
                end_with_descendants([pid])
            self._orphans.discard(name)
            self._codes.pop(name, None)

    def close(self) -> None:
        """See `Processes.close`."""
        with self._lock:
            self._close(killed=self._process is not None and self._process.poll() is not None)

    def _open(self) -> socket.socket:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _run("nursery", self._modules, [theirs])
        return self._control

    def _close(self, *, killed: bool) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.wait()
            self._process = None
        if killed:
            self._orphans |= self._started
        self._started.clear()

    def _listen(self, name: str, timeout_s: float | None) -> None:
        """Hear how workers ended until one of them has, or nothing more will be heard."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while name in self._started and self._control is not None:
            self._control.settimeout(None if until is None else max(0.0, until - time.monotonic()))
            try:
                report = self._control.recv(_LONGEST_REPORT)
            except OSError:  # also when the time is over
                return
            finally:
                self._control.settimeout(None)
            if not report:
                return
            ended, code = report.decode().split()
            self._started.discard(ended)
            self._codes[ended] = int(code)


class Spawner:
    """Processes that are new interpreters."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, stream: socket.socket, inbox: socket.socket) -> str:
        """See `Processes.start`."""
        process = _run("worker", [], [stream, inbox])
        name = str(process.pid)
        self._processes[name] = process
        return name

    def exit_code(self, name: str, timeout_s: float) -> int | None:
        """See `Processes.exit_code`."""
        process = self._processes.get(name)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return None if process is None else process.wait(timeout_s)
        return None

    def stop(self, name: str, pid: int | None) -> None:
        """See `Processes.stop`."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        if process.poll() is None:
            # Programs have process groups of their own.
            end_with_descendants([process.pid])
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """See `Processes.close`."""
        for name in list(self._processes):
            self.stop(name, None)
