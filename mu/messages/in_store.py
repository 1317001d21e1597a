"""Messages as objects of a store. Slow, and without anything to run or to pay for."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Sequence

from mu.errors import NondeterministicTask, NoSuchKey
from mu.store.protocol import Store, at_once

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 1.0


class StoreChannel:
    """A channel in a store below a prefix.

    It asks for exact keys and never lists. Pauses between questions grow, since S3 bills each; a
    part of a digest begins the keys, so that S3 can spread them.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._pause: tuple[str, float] = ("", _FIRST_PAUSE_S)

    def _place(self, key: str) -> str:
        return f"{self._prefix}/{hashlib.sha256(key.encode()).hexdigest()[:2]}/{key}"

    def put(self, key: str, data: bytes) -> None:
        """See `Channel.put`."""
        place = self._place(key)
        if not self._store.put_new(place, data) and self._store.get(place) != data:
            raise NondeterministicTask(key)

    def get(self, key: str) -> bytes | None:
        """See `Channel.get`."""
        try:
            return self._store.get(self._place(key))
        except NoSuchKey:
            return None

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Channel.get_all`; several questions are under way at the same time."""
        return at_once(self.get, keys) if len(keys) > 1 else [self.get(key) for key in keys]

    def wait(self, key: str, timeout_s: float) -> bytes | None:
        """See `Channel.wait`."""
        until = time.monotonic() + timeout_s
        # Whoever waits again for the same goes on with the pause that it had reached.
        before, pause_s = self._pause
        if before != key:
            pause_s = _FIRST_PAUSE_S
        while True:
            found = self.get(key)
            left_s = until - time.monotonic()
            self._pause = key, pause_s
            if found is not None or left_s <= 0:
                return found
            # At random, so that workers that wait together do not ask together.
            time.sleep(min(left_s, pause_s * random.uniform(0.5, 1.0)))
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 1.5)

    def note(self, key: str, data: bytes) -> None:
        """See `Channel.note`."""
        self._store.put(self._place(key), data)

    def forget(self, folder: str) -> None:
        """See `Channel.forget`; lists all messages of the job, once."""
        begin = len(self._place(""))
        self._store.delete_all(
            place
            for place in self._store.list(f"{self._prefix}/")
            if place[begin:].startswith(f"{folder}/")
        )

    def close(self) -> None:
        """See `Channel.close`."""
