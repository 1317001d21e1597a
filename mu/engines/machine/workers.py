"""Workers that are processes of this machine."""

from __future__ import annotations

import secrets
import tempfile
from typing import Any

from mu.commands.staging import Staging
from mu.engines.call import Call
from mu.engines.machine.pool import WorkerPool
from mu.errors import NotEnoughConcurrency
from mu.machine import available_cpus
from mu.messages.opening import begin_channel
from mu.store.directory import DirectoryStore
from mu.store.protocol import Store
from mu.timelines import TimelineWriter


class MachineWorkers:
    """See `mu.engines.workers.Workers`; all that they leave lies in one folder."""

    job = ""
    packages = None

    def __init__(self, workers: int | None, store: Store | None, channel: str) -> None:
        """Makes workers, which start when they are first needed.

        Args:
            workers: their number; None for one per CPU.
            store: for tasks; None for one in the folder.
            channel: see `mu.messages.opening.begin_channel`.

        Raises:
            ChannelClosed: the server does not answer.
            ChannelRefused: there is no such channel, or the server refuses the user.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="mu-")
        self.size = workers or available_cpus()
        self.store: Store = store or DirectoryStore(f"{self._folder.name}/store")
        self._job = f"mu/{secrets.token_hex(8)}"
        try:
            self._channel_url, self.channel = begin_channel(channel, self.store, self._job)
        except BaseException:
            self._folder.cleanup()
            raise
        self._pool = WorkerPool(
            self.size,
            {"store": self.store.url, "scratch": f"{self._folder.name}/scratch"},
            ["mu.engines.calls"],
        )

    def check(self, function: bytes) -> None:
        """See `Workers.check`: workers run this very Python."""

    def submit(self, *calls: Call) -> None:
        """See `Workers.submit`."""
        if len(calls) > self.size:
            raise NotEnoughConcurrency(
                f"a gang of {len(calls)} cannot run at once on {self.size} workers"
            )
        self._pool.submit(*calls)

    def cancel(self, call: Call) -> None:
        """See `Workers.cancel`."""
        self._pool.cancel(call)

    def close(self) -> None:
        """See `Workers.close`."""
        self._pool.close()
        self.channel.close()
        self._folder.cleanup()

    def member(self, gang: str, rank: int, size: int) -> dict[str, Any]:
        """See `Workers.member`."""
        return {
            "job": self._job, "channel": self._channel_url, "gang": gang, "rank": rank, "size": size
        }  # fmt: skip

    def staging(self) -> Staging | None:
        """See `Workers.staging`."""
        return None

    def timeline(self, name: str) -> TimelineWriter:
        """See `Workers.timeline`; the name is the prefix of keys in the store."""
        return TimelineWriter(self.store, name)

    def more_memory(self, memory_mb: int | None) -> int | None:
        """See `Workers.more_memory`: all workers share what the machine has."""
        del memory_mb
        return None
