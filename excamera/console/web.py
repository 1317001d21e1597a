"""A small HTTP server for one person: it checks who asks, and sends what a site answers.

It listens on this machine only. Pages of other sites cannot use it: they do not know the token,
a browser lets them send no header with it, and a name that somebody has made stand for this
machine is not one of its own.
"""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

HOST = "127.0.0.1"
_QUIET_S = 60.0
"""After so long without a word, a connection ends."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page of the console may load: nothing but what the console serves. A film that is about
to be uploaded is looked at as a blob."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        method: such as "GET".
        path: unquoted, without the query.
        raw_path: as it came, with the query.
        query: the last value of each name.
        headers: by their names in small letters.
        length: bytes of the body.
        body: from which they are read.
    """

    method: str
    path: str
    raw_path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    length: int
    body: BinaryIO


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        status: of the answer.
        body: blocks of bytes.
        length: of all blocks.
        headers: of the answer, besides those of every answer.
    """

    status: int
    body: Iterable[bytes] = ()
    length: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, kind: str, data: bytes, **more: str) -> Answer:
        """An answer with all its bytes.

        Args:
            status: of the answer.
            kind: its media type.
            data: its body.
            more: further headers, with _ for -.
        """
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        return cls(
            status,
            [data],
            len(data),
            {"Content-Type": kind, "Cache-Control": "no-store", **headers},
        )


Site = Callable[[Request], Answer]


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A server on this machine only.

    Args:
        port: 0 for any.
        site: answers requests; it may be called by several threads at the same time.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, site: Site) -> None:
        self._connected: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)
        self.site = site

    @property
    def address(self) -> str:
        """The server's address, without a / at its end."""
        return f"http://{HOST}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind, without asking a name server who this is."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        self._connected.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._connected.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End all connections: browsers keep theirs for their next requests."""
        super().server_close()
        for connection in list(self._connected):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless a browser has just left."""
        del request, client_address
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            traceback.print_exc()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Reads requests and writes answers."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ExCamera", ""
    timeout = _QUIET_S
    server: Server

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        split = urlsplit(self.path)
        if f"http://{self.headers.get('Host', '')}" != self.server.address:
            # A name that somebody has made stand for this machine: its pages would be ours.
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"Open {self.server.address}.")
        elif "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "A request must say how long it is.")
        else:
            request = Request(
                method=self.command,
                path=unquote(split.path),
                raw_path=self.path,
                query=dict(parse_qsl(split.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                length=int(length),
                body=_Body(self.rfile, int(length)),  # type: ignore[arg-type]
            )
            self._send(self.server.site(request), request)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _send(self, answer: Answer, request: Request) -> None:
        body = request.body
        assert isinstance(body, _Body)
        if body.left:
            self.close_connection = True  # what is left of the body is not the next request
        self.send_response(answer.status)
        for name, value in {**_HEADERS, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            for block in answer.body:
                self.wfile.write(block)

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self.close_connection = True
        answer = Answer.of(status, "text/plain; charset=utf-8", text.encode())
        nothing = _Body(self.rfile, 0)
        self._send(answer, Request("", "", "", {}, {}, 0, nothing))  # type: ignore[arg-type]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses prove who asks, and do not belong into logs."""


class _Body:
    """Exactly the bytes of a request's body.

    Attributes:
        left: how many have not been read.
    """

    def __init__(self, file: Any, length: int) -> None:
        self._file = file
        self.left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        with contextlib.suppress(socket.timeout):
            found: bytes = self._file.read(wanted) if wanted else b""
            self.left -= len(found)
            return found
        return b""
