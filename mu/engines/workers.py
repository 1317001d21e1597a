"""What every executor's workers do, wherever they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from mu.commands.staging import Staging
from mu.engines.call import Call
from mu.messages.opening import Director
from mu.store.protocol import Store
from mu.timelines import TimelineWriter


class Workers(Protocol):
    """Workers that run calls."""

    @property
    def job(self) -> str:
        """The name under which a stack knows their calls; "" on one machine."""

    @property
    def size(self) -> int:
        """How many calls can run at once."""

    @property
    def store(self) -> Store:
        """Where calls keep what is too large for messages."""

    @property
    def packages(self) -> Collection[str] | None:
        """Packages that they have, for `mu.pickling.dump`; None for those of this machine."""

    def check(self, function: bytes) -> None:
        """Refuse a packed function that cannot run on these workers.

        Raises:
            StackError: it cannot.
        """

    def submit(self, *calls: Call) -> None:
        """Run a call, or several that begin together.

        Raises:
            NotEnoughConcurrency: there are more calls than can run at once.
        """

    def cancel(self, call: Call) -> None:
        """End a call, which may wait or run; no harm if it has ended."""

    def close(self) -> None:
        """End all calls; nothing is left running when this returns."""

    def member(self, gang: str, rank: int, size: int) -> dict[str, Any]:
        """What the worker of a gang's member is told."""

    @property
    def channel(self) -> Director:
        """Carries the messages of gangs."""

    def staging(self) -> Staging | None:
        """Through what files of this machine reach workers; None if those are on it, too."""

    def timeline(self, name: str) -> TimelineWriter:
        """Begins to store the records of a job.

        Raises:
            ValueError: it cannot have this name.
            StoreError: the store takes no records.
        """

    def more_memory(self, memory_mb: int | None) -> int | None:
        """With how much memory a call that lacked some can be tried again; None if with no more."""
