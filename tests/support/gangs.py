"""Gangs whose members are threads of a test."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mu import MemoryStore, Store
from mu.messages.channel import Channel, ending
from mu.messages.comm import DONE, Comm


class Gang:
    """Members of a gang as threads, each with a channel of its own."""

    def __init__(self, connect: Callable[[], Channel]) -> None:
        self._connect = connect
        self.store: Store = MemoryStore()
        self.channels: list[Channel] = []

    def connect(self) -> Channel:
        """A channel of its own for each attempt of a member."""
        channel = self._connect()
        self.channels.append(channel)
        return channel

    def member(self, rank: int, size: int) -> Comm:
        """A member, as each of its attempts begins."""
        return Comm(self.connect(), self.store, "g", rank, size)

    def run(self, size: int, task: Callable[[Comm], Any]) -> list[Any]:
        """What the task returned, or raised, as each member."""

        def one(rank: int) -> Any:
            try:
                result = task(self.member(rank, size))
            except Exception as error:
                self.end(rank, str(error).encode())
                return error
            self.end(rank, DONE)
            return result

        with ThreadPoolExecutor(size) as pool:
            return list(pool.map(one, range(size)))

    def end(self, rank: int, how: bytes) -> None:
        """Say that a member has ended for good."""
        self.connect().put(ending("g", rank), how)
