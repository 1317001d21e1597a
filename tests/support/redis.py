"""Redis servers for tests, which skip where none is installed."""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from mu.messages.rights import RIGHTS

USER, PASSWORD = "mu-worker", "p%40ss word:/?#"

SIGNED_IN = "mu-signed-in"
"""A user who has the same rights with any password, as of a server that AWS lets in."""


@dataclass
class RedisServer:
    """A server on loopback.

    Attributes:
        url: with which a user of `RIGHTS` connects.
        admin: with which a test connects, who may do anything.
        signed_in: as the server that a stack has, for a user of `RIGHTS`; over TLS only.
    """

    folder: Path
    arguments: list[str]
    port: int
    url: str
    admin: str
    signed_in: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Kill it; no harm if it has ended."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again on the same port, without the data that it had."""
        self.process = _started(self.arguments, self.folder, self.port)


@contextmanager
def a_redis(
    folder: Path, *, tls: bool = False, options: Sequence[str] = ()
) -> Iterator[RedisServer]:
    """A server for as long as the context lasts.

    Args:
        folder: where it runs.
        tls: whether it takes only TLS, with a certificate of its own.
        options: more arguments of the server.
    """
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("no redis-server here (Debian: redis-server)")
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()  # a rule cannot hold blanks
    (folder / "users.acl").write_text(
        f"user default on >admin ~* &* +@all\nuser {USER} on #{digest} {RIGHTS}\n"
        f"user {SIGNED_IN} on nopass {RIGHTS}\n"
    )
    port = _free_port()
    arguments = [
        *(program, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
        *("--aclfile", "users.acl", "--loglevel", "warning", "--logfile", "log"),
        *options,
    ]
    scheme, query = "redis", ""
    if tls:
        certificate, key = _certificate(folder)
        arguments += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
        arguments += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
        scheme, query = "rediss", f"?ssl_ca_certs={certificate}"
    else:
        arguments += ["--port", str(port)]
    place = f"127.0.0.1:{port}/0{query}"
    server = RedisServer(
        folder,
        arguments,
        port,
        f"{scheme}://{USER}:{quote(PASSWORD, safe='')}@{place}",
        f"{scheme}://default:admin@{place}",
        f"elasticache://{SIGNED_IN}@127.0.0.1:{port}/cache{query}",
        _started(arguments, folder, port),
    )
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    # Below those that the system gives to clients: one that asks for such a port before the server
    # is there may be connected to itself. A cluster also takes the port that is 10,000 higher, and
    # clients may have those from 32,768 on.
    while True:
        port = random.randrange(20_000, 22_768)
        with (
            socket.socket() as found,
            socket.socket() as higher,
            contextlib.suppress(OSError),
        ):
            found.bind(("127.0.0.1", port))
            higher.bind(("127.0.0.1", port + 10_000))
            return port


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback, signed by itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here, which makes the server's certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = [
        *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(made, check=True, capture_output=True)
    return certificate, key


def _started(arguments: list[str], folder: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if process.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
                continue
            process.kill()
            process.wait()
            log = folder / "log"
            raise AssertionError(log.read_text() if log.exists() else "no log") from None
        return process
