"""The worker process of the local engine: it reads calls from a socket, runs and answers them.

Messages are JSON after a four-byte length. A thread reads them, so when the parent ends (end
of file on the socket), the worker ends at once, even in the middle of a task.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import struct
import threading
import traceback
from typing import Any

from mu.store.opening import open_store
from mu.store.protocol import Store
from mu.task import Context, resolve

LENGTH = struct.Struct(">I")


def pack(message: dict[str, Any]) -> bytes:
    """A message as bytes for the socket."""
    body = json.dumps(message).encode()
    return LENGTH.pack(len(body)) + body


def _read_exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = connection.recv(min(size, 1 << 20))
        except OSError:  # a parent killed with answers unread resets the connection
            part = b""
        if not part:
            os._exit(1)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _read_calls(connection: socket.socket, calls: queue.SimpleQueue[dict[str, Any]]) -> None:
    while True:
        (size,) = LENGTH.unpack(_read_exactly(connection, LENGTH.size))
        calls.put(json.loads(_read_exactly(connection, size)))


def _answer(call: dict[str, Any], store: Store, connection: socket.socket) -> dict[str, Any]:
    context = Context(
        store=store,
        task=call["task"],
        attempt=call["attempt"],
        worker=f"process {os.getpid()}",
        report=lambda message: connection.sendall(pack({"report": message})),
    )
    try:
        result = resolve(call["function"])(call["event"], context)
        return {"result": json.loads(json.dumps(result)), "marks": context.marks}
    except BaseException as error:
        return {
            "error": type(error).__name__,
            "message": str(error),
            "details": traceback.format_exc(),
        }


def main(descriptor: int) -> None:
    """Serve calls that arrive on an inherited socket until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    connection = socket.socket(fileno=descriptor)
    calls: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_calls, args=(connection, calls), daemon=True).start()
    store = open_store(calls.get()["store"])
    while True:
        answer = pack(_answer(calls.get(), store, connection))
        try:
            connection.sendall(answer)
        except OSError:
            os._exit(1)
