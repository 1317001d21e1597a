"""The worker process of a pool: it reads calls from a socket, runs and answers them.

A thread watches the socket, so when the parent ends, the worker ends at once, even in the middle
of a task.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

from mu.engines.machine import log, wire
from mu.machine import adopt_orphans
from mu.store.opening import open_store
from mu.store.protocol import Buffer, Store
from mu.task import Context, call_task, resolve


def _end_with_the_parent(connection: socket.socket) -> None:
    """Wait until the other side closes its end, then end this process.

    What it has sent before does not matter: nobody is left to be answered.
    """
    hung_up = getattr(select, "POLLRDHUP", select.POLLHUP)
    watched = select.poll()
    watched.register(connection, hung_up)
    while not watched.poll():
        pass
    os._exit(1)


def _prepare(first: dict[str, Any]) -> Store:
    """Make this process what the pool asks for; returns the store."""
    os.environ.update(first.get("variables", {}))
    # Before what is installed: who declares a package wants its version.
    sys.path[:0] = first.get("path", [])
    if "logs" in first:
        log.redirect(Path(first["logs"]))
    if "memory_bytes" in first:
        # A `MemoryError` says more than the kernel, which would kill some process.
        resource.setrlimit(resource.RLIMIT_DATA, (first["memory_bytes"],) * 2)
    if "scratch" in first:
        # The parent removes it, also what a killed worker leaves in it.
        Path(first["scratch"]).mkdir(exist_ok=True)
        tempfile.tempdir = first["scratch"]
    return open_store(first["store"])


def _logged_answer(
    call: dict[str, Any], body: memoryview, store: Store, connection: socket.socket
) -> tuple[dict[str, Any], list[Buffer]]:
    """The answer, with what the call printed."""
    log.begin()
    head, parts = _answer(call, body, store, connection)
    return {**head, "log": log.tail()}, parts


def _answer(
    call: dict[str, Any], body: memoryview, store: Store, connection: socket.socket
) -> tuple[dict[str, Any], list[Buffer]]:
    if "event" not in call:
        from mu.engines.calls import run_python  # not for workers of a flow, which begin faster

        return run_python(call, body, store)
    context = Context(
        store=store,
        task=call["task"],
        attempt=call["attempt"],
        worker=f"process {os.getpid()}",
        report=lambda message: wire.send(connection, {"report": message}),
    )
    try:
        if "function" in call:
            result = resolve(call["function"])(call["event"], context)
        else:
            from mu.engines.calls import function_of  # as above

            result = call_task(function_of(body), call["event"], context)
        return {"result": json.loads(json.dumps(result)), "marks": context.marks}, []
    except BaseException as error:
        return {
            "error": type(error).__name__,
            "message": str(error),
            "details": traceback.format_exc(),
        }, []


def main(stream: int | str, inbox: int | str) -> None:
    """Serve calls that arrive on inherited sockets until the other side closes.

    Args:
        stream: descriptor of the socket for all that is large, and for answers.
        inbox: descriptor of the socket for packets.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    adopt_orphans()
    connection, packets = socket.socket(fileno=int(stream)), socket.socket(fileno=int(inbox))
    threading.Thread(target=_end_with_the_parent, args=(connection,), daemon=True).start()
    receiver = wire.Receiver(connection)
    try:
        first, _ = receiver.receive()
        store = _prepare(first)
        answer = _logged_answer if "logs" in first else _answer
        wire.send(connection, {"ready": os.getpid()})
        while True:
            # The pool relies on this order: who has taken a packet has answered all before it.
            call = wire.read_packet(packets.recv(wire.PACKET_BYTES)) or receiver.receive()
            wire.send(connection, *answer(*call, store, connection))
    except (OSError, EOFError):
        os._exit(1)
