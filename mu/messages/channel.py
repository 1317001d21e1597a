"""What carries messages: the protocol that every channel implements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

SMALL_BYTES = 64 << 10
"""Larger payloads go to the store; the channel carries their keys."""

_ENDED = "ended-"


def ending(gang: str, rank: int) -> str:
    """The key under which a channel says that a member has ended, and how.

    Its message is `mu.messages.comm.DONE`, or the reason of a failure that is not tried again.
    """
    return f"{gang}/{_ENDED}{rank}"


def is_ending(key: str) -> bool:
    """Whether a key is one of `ending`: the only ones that no member writes, but who directs."""
    return key.rpartition("/")[2].startswith(_ENDED)


class Channel(Protocol):
    """Small messages between the workers of one job.

    A message is written once and stays: receiving destroys nothing, so a worker that is started
    again reads all of them again. Keys are those of a store; only the job's workers see them.
    """

    def put(self, key: str, data: bytes) -> None:
        """Write a message. The same bytes may be written again, by an attempt that is a retry.

        Raises:
            NondeterministicTask: other bytes were written before.
        """

    def get(self, key: str) -> bytes | None:
        """The message or note, or None if there is none yet."""

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """What `get` returns for each key, sooner than by asking for one after the other."""

    def wait(self, key: str, timeout_s: float) -> bytes | None:
        """The message, as soon as it is there; None if it is not after so many seconds."""

    def note(self, key: str, data: bytes) -> None:
        """Write something that may be replaced, such as what a worker waits for."""

    def forget(self, folder: str) -> None:
        """Remove all messages and notes whose keys begin with ``folder/``: nobody needs them."""

    def close(self) -> None:
        """Let go of connections."""
