"""Workers that are processes of this machine."""

from __future__ import annotations

import tempfile
from typing import Any

from mu.commands.staging import Staging
from mu.engines.pool import Call, WorkerPool
from mu.errors import NotEnoughConcurrency
from mu.machine import available_cpus
from mu.messages.comm import ending
from mu.messages.on_machine import MessageHub
from mu.store.directory import DirectoryStore
from mu.store.protocol import Store


class MachineWorkers:
    """See `mu.engines.workers.Workers`; all that they leave lies in one folder."""

    job = ""
    packages = None

    def __init__(self, workers: int | None = None, store: Store | None = None) -> None:
        """Makes workers, which start when they are first needed.

        Args:
            workers: their number; None for one per CPU.
            store: for tasks; None for one in the folder.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="mu-")
        self.size = workers or available_cpus()
        self.store: Store = store or DirectoryStore(f"{self._folder.name}/store")
        self._pool = WorkerPool(
            self.size, {"store": self.store.url, "scratch": f"{self._folder.name}/scratch"}
        )
        self._hub = MessageHub()

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
        self._hub.close()
        self._folder.cleanup()

    def member(self, gang: str, rank: int, size: int) -> dict[str, Any]:
        """See `Workers.member`."""
        return {"gang": gang, "rank": rank, "size": size, "hub": self._hub.path}

    def end_member(self, gang: str, rank: int, how: bytes) -> None:
        """See `Workers.end_member`."""
        self._hub.put(ending(gang, rank), how)

    def forget_gang(self, gang: str) -> None:
        """See `Workers.forget_gang`."""
        self._hub.forget(gang)
        self.store.delete_all(self.store.list(f"{gang}/"))

    def staging(self) -> Staging | None:
        """See `Workers.staging`."""
        return None

    def more_memory(self, memory_mb: int | None) -> int | None:
        """See `Workers.more_memory`: all workers share what the machine has."""
        del memory_mb
        return None
