"""The process that starts workers and answers for their end. Linux only.

It has imported what workers need, and forks one in a few milliseconds. What a worker has started
becomes its child when that worker ends, however it ends, and is ended by it. It ends with all of
them when the pool closes its end of the socket, or is no more.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import traceback
from typing import NoReturn

from mu.engines.machine import worker
from mu.machine import adopt_orphans, children, end_with_descendants

_LONGEST_REQUEST = 64


class _Nursery:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._workers: dict[int, str] = {}
        """Names that the pool has given, by process number."""
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Do what the pool asks until it closes its end."""
        watched = select.poll()
        watched.register(self._control, select.POLLIN)
        watched.register(self._woken, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in watched.poll()}
            if self._woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(1 << 10)
                self._reap()
            if self._control.fileno() in ready and not self._obey():
                return

    def _obey(self) -> bool:
        request, descriptors, _, _ = socket.recv_fds(
            self._control, _LONGEST_REQUEST, 2, socket.MSG_CMSG_CLOEXEC
        )
        what, _, name = request.decode().partition(" ")
        if what == "start":
            self._start(name, descriptors)
        elif what == "stop":
            self._end([pid for pid, named in self._workers.items() if named == name])
        return bool(request)

    def _start(self, name: str, descriptors: list[int]) -> None:
        try:
            pid = os.fork()
            if pid == 0:
                self._be_worker(descriptors)
        except OSError as error:  # too many processes, or no memory
            self._tell(name, error.errno or 1)
        else:
            # Both do it: neither knows which of them is first.
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)
            self._workers[pid] = name
        for descriptor in descriptors:
            os.close(descriptor)

    def _be_worker(self, descriptors: list[int]) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (self._control, self._wake, self._woken):
                one.close()
            # With a process group of its own, Ctrl-C at the terminal reaches only the parent, and
            # killing the group ends whatever a task has started.
            os.setpgid(0, 0)
            worker.main(*descriptors)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def end_all(self) -> None:
        """Leave nothing behind."""
        self._end(list(self._workers))

    def _end(self, pids: list[int]) -> None:
        end_with_descendants(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for pid in pids:
            self._ended(pid, os.waitpid(pid, 0)[1])

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
                self._ended(*ended)

    def _ended(self, pid: int, status: int) -> None:
        name = self._workers.pop(pid, None)
        if name is None:
            return
        # Whoever is a child and no worker was left by one that has ended.
        while left := children(os.getpid()) - set(self._workers):
            end_with_descendants(left)
            for one in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(one, 0)
        self._tell(name, os.waitstatus_to_exitcode(status))

    def _tell(self, name: str, code: int) -> None:
        with contextlib.suppress(OSError):  # the pool is no more
            self._control.send(f"{name} {code}".encode())


def main(descriptor: str, *modules: str) -> None:
    """Serve the pool at the other end of an inherited socket.

    Args:
        descriptor: of the socket.
        modules: what all workers will need.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    adopt_orphans()
    for module in modules:
        importlib.import_module(module)
    # Workers share this memory as long as none of them writes to it.
    gc.freeze()
    nursery = _Nursery(socket.socket(fileno=int(descriptor)))
    try:
        nursery.serve()
    finally:
        nursery.end_all()
