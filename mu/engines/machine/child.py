"""One process of a pool as the pool sees it: its sockets, and the calls that it has been sent."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mu.engines.call import Call, CallFailed
from mu.engines.machine import wire
from mu.engines.machine.processes import Processes


@dataclass(eq=False, slots=True)
class Entry:
    """A call that has not ended, and where it stands.

    Attributes:
        call: see there.
        number: by which its worker knows it.
        packet: what a worker's inbox takes, if the call is short.
        waiting: the calls among which it waits, or has waited.
        worker: who runs it, or will if it comes to it; None while it waits.
    """

    call: Call
    number: int
    packet: bytes | None
    waiting: Waiting | None = field(default=None, repr=False)
    worker: Child | None = field(default=None, repr=False)


@dataclass(order=True, slots=True)
class Waiting:
    """Calls that begin at the same moment."""

    priority: tuple[int, ...]
    number: int
    entries: list[Entry] = field(compare=False)


class Child:
    """One child process and the parent's ends of its sockets.

    Attributes:
        pid: of the process; None until it has started.
        entry: the call that it runs.
        ahead: what it will do after that, in this order, if it comes to it.
        until: when the time of the call that it runs is over, by the monotonic clock; None: never.
    """

    def __init__(self, processes: Processes, first: dict[str, Any]) -> None:
        """Starts a process.

        Args:
            processes: who starts and ends it.
            first: what it is told before its first call.
        """
        self._processes = processes
        self._stream, theirs = socket.socketpair()
        # Packets that it has not taken can be taken back by whoever has the other end, too.
        self._inbox, self._unread = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with theirs:
            self._name = processes.start(theirs, self._unread)
        self._receiver = wire.Receiver(self._stream)
        self.pid: int | None = None
        self.entry: Entry | None = None
        self.ahead: deque[Entry] = deque()
        self.until: float | None = None
        with contextlib.suppress(OSError):
            wire.send(self._stream, first)

    @property
    def name(self) -> str:
        """What it is called in records."""
        return "a process" if self.pid is None else f"process {self.pid}"

    def fileno(self) -> int:
        """Of the socket from which its answers are read, for selectors."""
        return self._stream.fileno()

    def rest(self) -> None:
        """Note that it runs nothing."""
        self.entry = self.until = None

    def post(self, entry: Entry) -> bool:
        """Put a call into its inbox; False if there is no room.

        A call that has no packet is then to be sent.
        """
        packet = entry.packet or wire.packet_for_stream(entry.number)
        try:
            return self._inbox.send(packet, socket.MSG_DONTWAIT) == len(packet)
        except OSError:
            return False

    def send(self, entry: Entry) -> None:
        """Send a call over the stream. If the worker is dead, whoever reads from it finds out."""
        if self.post(entry):
            with contextlib.suppress(OSError):
                wire.send(self._stream, entry.call.head, entry.call.body)

    def take_back(self) -> set[int]:
        """Empty its inbox; returns the numbers of the calls that it has not begun."""
        return wire.take_back(self._unread)

    def receive(self) -> list[wire.Message]:
        """What has arrived; raises `OSError` or `EOFError` if the worker ended."""
        return self._receiver.receive_some()

    def obituary(self) -> CallFailed:
        """Why it ended."""
        code = self._processes.exit_code(self._name, timeout_s=5)
        if code is None:
            how = f"{self.name} closed its connection"
        elif code < 0:
            how = f"{self.name} was killed by {signal.Signals(-code).name}"
        else:
            how = f"{self.name} ended with exit code {code}"
        return CallFailed("WorkerDied", how)

    def stop(self) -> None:
        """Kill the process and all its children, and wait for its end."""
        self._processes.stop(self._name, self.pid)
        for one in (self._stream, self._inbox, self._unread):
            one.close()
