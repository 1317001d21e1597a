"""Messages on one machine: a hub in the process that directs the workers, and sockets to it.

The hub keeps the messages, so that they outlive the worker that sent them.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mu.errors import ChannelClosed, NondeterministicTask

_PUT, _WAIT, _NOTE, _FORGET = range(4)
_FOUND, _NOTHING, _OTHER = range(3)
# What is asked, seconds to wait, length of the key and of the data.
_REQUEST = struct.Struct("<BdII")
# What is answered, length of the data.
_ANSWER = struct.Struct("<BI")


class MessageHub:
    """Keeps the messages of one job, and serves them to any number of `SocketChannel`s."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mu-")
        self.path = str(Path(self._folder.name) / "hub")
        self._messages: dict[str, bytes] = {}
        self._changed: dict[str, threading.Condition] = {}
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._closed = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(1024)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> MessageHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, key: str, data: bytes) -> None:
        """See `Channel.put`."""
        with self._lock:
            if self._messages.setdefault(key, data) != data:
                raise NondeterministicTask(key)
            self._tell(key)

    def get(self, key: str) -> bytes | None:
        """See `Channel.get`."""
        return self._messages.get(key)

    def wait(self, key: str, timeout_s: float) -> bytes | None:
        """See `Channel.wait`."""
        with self._lock:
            if key not in self._messages and timeout_s > 0:
                changed = self._changed.setdefault(key, threading.Condition(self._lock))
                changed.wait_for(lambda: key in self._messages, timeout_s)
            return self._messages.get(key)

    def note(self, key: str, data: bytes) -> None:
        """See `Channel.note`."""
        with self._lock:
            self._messages[key] = data
            self._tell(key)

    def forget(self, folder: str) -> None:
        """See `Channel.forget`."""
        with self._lock:
            self._messages = {
                key: data
                for key, data in self._messages.items()
                if not key.startswith(f"{folder}/")
            }

    def close(self) -> None:
        """End all connections and forget all messages."""
        # Closing alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # Nobody is answered while others have been told already that this is closed.
        with self._lock:
            self._closed = True
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._folder.cleanup()

    def _tell(self, key: str) -> None:
        changed = self._changed.pop(key, None)
        if changed is not None:
            changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:  # it was accepted while this closed
                    connection.close()
                    return
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), connection:
            while True:
                what, seconds, key_length, length = _REQUEST.unpack(
                    _read(connection, _REQUEST.size)
                )
                key = _read(connection, key_length).decode()
                answer, data = self._answer(what, key, _read(connection, length), seconds)
                connection.sendall(_ANSWER.pack(answer, len(data)) + data)
        with self._lock:
            self._connections.discard(connection)

    def _answer(self, what: int, key: str, data: bytes, seconds: float) -> tuple[int, bytes]:
        if what == _PUT:
            try:
                self.put(key, data)
            except NondeterministicTask:
                return _OTHER, b""
            return _FOUND, b""
        if what == _NOTE:
            self.note(key, data)
            return _FOUND, b""
        if what == _FORGET:
            self.forget(key)
            return _FOUND, b""
        found = self.wait(key, seconds)
        return (_NOTHING, b"") if found is None else (_FOUND, found)


class SocketChannel:
    """A worker's channel to the `MessageHub` of its job."""

    def __init__(self, path: str) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        try:
            self._connection.connect(path)
        except OSError as error:
            self._connection.close()
            _closed(error)

    def put(self, key: str, data: bytes) -> None:
        """See `Channel.put`."""
        if self._ask(_PUT, key, data)[0] == _OTHER:
            raise NondeterministicTask(key)

    def get(self, key: str) -> bytes | None:
        """See `Channel.get`."""
        return self.wait(key, 0)

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Channel.get_all`; a socket answers sooner than a thread would start."""
        return [self.get(key) for key in keys]

    def wait(self, key: str, timeout_s: float) -> bytes | None:
        """See `Channel.wait`."""
        answer, data = self._ask(_WAIT, key, seconds=timeout_s)
        return data if answer == _FOUND else None

    def note(self, key: str, data: bytes) -> None:
        """See `Channel.note`."""
        self._ask(_NOTE, key, data)

    def forget(self, folder: str) -> None:
        """See `Channel.forget`."""
        self._ask(_FORGET, folder)

    def close(self) -> None:
        """See `Channel.close`."""
        self._connection.close()

    def _ask(
        self, what: int, key: str, data: bytes = b"", seconds: float = 0.0
    ) -> tuple[int, bytes]:
        name = key.encode()
        try:
            self._connection.sendall(
                _REQUEST.pack(what, seconds, len(name), len(data)) + name + data
            )
            answer, length = _ANSWER.unpack(_read(self._connection, _ANSWER.size))
            return answer, _read(self._connection, length)
        except (OSError, EOFError) as error:
            _closed(error)


def _closed(error: Exception) -> NoReturn:
    raise ChannelClosed("the process that directs this worker has ended") from error


def _read(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
