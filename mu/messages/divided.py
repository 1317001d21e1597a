"""Messages in a server that only workers reach, and in the store what others must know."""

from __future__ import annotations

from collections.abc import Sequence

from mu.messages.channel import Channel, is_ending


class DividedChannel:
    """A worker's channel: members talk through the server, which wakes them up.

    Who directs the gang does not reach the server. It writes into the store how members have ended,
    and reads there for whom they wait. Members look for ends only after a while and ever less
    often, so these looks are few.
    """

    def __init__(self, server: Channel, told: Channel) -> None:
        """Combines two channels, which it closes in the end.

        Args:
            server: for messages.
            told: for ends and notes; the one that the director has.
        """
        self._server = server
        self._told = told

    def put(self, key: str, data: bytes) -> None:
        """See `Channel.put`."""
        self._of(key).put(key, data)

    def get(self, key: str) -> bytes | None:
        """See `Channel.get`."""
        return self._of(key).get(key)

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Channel.get_all`."""
        ends = [key for key in keys if is_ending(key)]
        messages = [key for key in keys if not is_ending(key)]
        found = dict(zip(messages, self._server.get_all(messages), strict=True))
        found |= dict(zip(ends, self._told.get_all(ends), strict=True))
        return [found[key] for key in keys]

    def wait(self, key: str, timeout_s: float) -> bytes | None:
        """See `Channel.wait`."""
        return self._of(key).wait(key, timeout_s)

    def note(self, key: str, data: bytes) -> None:
        """See `Channel.note`; members read the note in the server, where that costs less."""
        self._server.note(key, data)
        self._told.note(key, data)

    def forget(self, folder: str) -> None:
        """See `Channel.forget`."""
        self._server.forget(folder)
        self._told.forget(folder)

    def close(self) -> None:
        """See `Channel.close`."""
        self._server.close()
        self._told.close()

    def _of(self, key: str) -> Channel:
        return self._told if is_ending(key) else self._server
