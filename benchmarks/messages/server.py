"""A Redis server on loopback, if one is installed."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def redis_server() -> Iterator[str | None]:
    """The URL of a server for as long as the context lasts; None if none is installed."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        yield None
        return
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
            server.wait()


def _free_port() -> int:
    """A port below those that the system gives to clients, who could be connected to themselves."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def _wait_for(port: int, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def version() -> str:
    """The name and version of the server that is installed, or ""."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        return ""
    words = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()
    return " ".join([words[0], *(word[2:] for word in words if word.startswith("v="))])
