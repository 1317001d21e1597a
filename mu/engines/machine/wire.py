"""What goes between the pool and its workers: messages of a JSON head, then any bytes.

A worker has two sockets. All that is large goes over a stream, and so does all that it answers. It
takes its calls from an inbox of packets, each a number with a whole message, or with nothing if the
message comes over the stream. The pool can read from the inbox, too: a packet that it takes back is
a call that the worker has not begun and will not begin. Both read from the front, at the same time:
the numbers tell which packets the pool has got.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

from mu.packing import size_of
from mu.store.protocol import Buffer

Message = tuple[dict[str, Any], memoryview]

PACKET_BYTES = 32 << 10
"""The most that goes into a packet: several fit into a socket whose other side is busy."""

_NUMBER = struct.Struct("<Q")
_LENGTHS = struct.Struct("<IQ")
_MOST_AT_ONCE = 256 << 10
_READ_BYTES = 64 << 10


def packet_of(number: int, head: dict[str, Any], body: Sequence[Buffer] = ()) -> bytes | None:
    """A message as a packet; None if it is too large for one."""
    size = size_of(body)
    if size > PACKET_BYTES // 2:
        return None
    packet = b"".join([_NUMBER.pack(number), _first(head, size), *body])
    return packet if len(packet) <= PACKET_BYTES else None


def packet_for_stream(number: int) -> bytes:
    """The packet that says that a message comes over the stream."""
    return _NUMBER.pack(number)


def read_packet(packet: bytes) -> Message | None:
    """The message in a packet; its body can be written to. None if it comes over the stream."""
    if len(packet) == _NUMBER.size:
        return None
    whole = memoryview(bytearray(packet))[_NUMBER.size :]
    return _parsed(whole, _LENGTHS.size, _LENGTHS.unpack_from(whole)[0])


def take_back(inbox: socket.socket) -> set[int]:
    """Empty an inbox from its reading end; returns the packets' numbers."""
    numbers: set[int] = set()
    while True:
        try:
            # The rest of a packet is dropped.
            numbers.update(_NUMBER.unpack(inbox.recv(_NUMBER.size, socket.MSG_DONTWAIT)))
        except BlockingIOError:
            return numbers


def send(connection: socket.socket, head: dict[str, Any], body: Sequence[Buffer] = ()) -> None:
    """Send a message; returns when the other side has, or will have, all of it."""
    size = size_of(body)
    first = _first(head, size)
    if size <= _MOST_AT_ONCE:
        connection.sendall(b"".join([first, *body]))
        return
    for part in (first, *body):
        connection.sendall(part)


def _first(head: dict[str, Any], body_bytes: int) -> bytes:
    text = json.dumps(head).encode() if head else b""
    return _LENGTHS.pack(len(text), body_bytes) + text


def _parsed(whole: memoryview, start: int, head_length: int) -> Message:
    end = start + head_length
    return json.loads(bytes(whole[start:end])) if head_length else {}, whole[end:]


class Receiver:
    """Puts messages together from what has arrived so far."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._arrived = bytearray()
        # A message of which more is to come than was read with its beginning.
        self._large: bytearray | None = None
        self._have = 0

    def receive(self) -> Message:
        """The next message; waits for it.

        Raises:
            EOFError: the other side has closed its end.
            OSError: the connection is broken.
        """
        while (message := self._next()) is None:
            self._read(0)
        return message

    def receive_some(self) -> list[Message]:
        """The messages that have arrived whole, maybe none; does not wait.

        Raises:
            EOFError: the other side has closed its end.
            OSError: the connection is broken.
        """
        try:
            self._read(socket.MSG_DONTWAIT)
            while self._large is not None and self._have < len(self._large):
                self._read(socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _read(self, flags: int) -> None:
        if self._large is None:
            part = self._connection.recv(_READ_BYTES, flags)
            self._arrived += part
            count = len(part)
            self._look_for_large()
        else:
            rest = memoryview(self._large)[self._have :]
            count = self._connection.recv_into(rest, flags=flags)
            self._have += count
        if count == 0:
            raise EOFError

    def _look_for_large(self) -> None:
        """Give a message that is read alone, from its beginning on, the memory that it needs."""
        if len(self._arrived) >= _LENGTHS.size:
            length = _LENGTHS.size + sum(_LENGTHS.unpack_from(self._arrived))
            if length > _READ_BYTES and len(self._arrived) < length:
                self._large, self._have = bytearray(length), len(self._arrived)
                self._large[: self._have] = self._arrived
                self._arrived.clear()

    def _next(self) -> Message | None:
        if self._large is not None:
            if self._have < len(self._large):
                return None
            whole, self._large = memoryview(self._large), None
            return _parsed(whole, _LENGTHS.size, _LENGTHS.unpack_from(whole)[0])
        if len(self._arrived) < _LENGTHS.size:
            return None
        head_length, body_length = _LENGTHS.unpack_from(self._arrived)
        length = _LENGTHS.size + head_length + body_length
        if len(self._arrived) < length:
            self._look_for_large()
            return None
        whole = memoryview(self._arrived[:length])
        del self._arrived[:length]
        return _parsed(whole, _LENGTHS.size, head_length)
