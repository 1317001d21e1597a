"""What goes over the socket between the pool and its workers: a JSON head, then any bytes."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

from mu.packing import size_of
from mu.store.protocol import Buffer

_LENGTHS = struct.Struct("<IQ")
_MOST_AT_ONCE = 1 << 20


def send(connection: socket.socket, head: dict[str, Any], body: Sequence[Buffer] = ()) -> None:
    """Send a message; returns when the other side has, or will have, all of it."""
    text = json.dumps(head).encode()
    first = _LENGTHS.pack(len(text), size_of(body)) + text
    if sum(map(len, body)) <= _MOST_AT_ONCE:
        connection.sendall(b"".join([first, *body]))
        return
    for part in (first, *body):
        connection.sendall(part)


class Receiver:
    """Puts messages together from what has arrived so far."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lengths: tuple[int, int] | None = None
        self._begin(_LENGTHS.size)

    def _begin(self, length: int) -> None:
        self._wanted = bytearray(length)
        self._have = 0

    def receive(self, flags: int = 0) -> tuple[dict[str, Any], memoryview] | None:
        """The next message.

        Args:
            flags: `socket.MSG_DONTWAIT` to return None if it has not arrived whole.

        Raises:
            EOFError: the other side has closed its end.
            OSError: the connection is broken.
        """
        while True:
            while self._have < len(self._wanted):
                try:
                    count = self._connection.recv_into(
                        memoryview(self._wanted)[self._have :], flags=flags
                    )
                except BlockingIOError:
                    return None
                if count == 0:
                    raise EOFError
                self._have += count
            if self._lengths is None:
                self._lengths = _LENGTHS.unpack(self._wanted)
                self._begin(sum(self._lengths))
                continue
            head_length, _ = self._lengths
            whole = memoryview(self._wanted)
            self._lengths = None
            self._begin(_LENGTHS.size)
            return json.loads(bytes(whole[:head_length])), whole[head_length:]
