"""A server on loopback that sends files by ranges, holds some back, and hears of players."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 16_384
_LIMIT_S = 300.0


@dataclass
class RangeServer:
    """What is served, and what was asked for.

    Attributes:
        files: media type and bytes of each path.
        held: of a path, the byte from which on nothing is sent before `release`.
        said: what players have posted, in order.
    """

    files: dict[str, tuple[str, bytes]]
    held: dict[str, int] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)
    url: str = ""
    _released: threading.Event = field(default_factory=threading.Event)
    _heard: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, count: int) -> list[Any]:
        """What was posted, once there are so many or some minutes are over."""
        with self._heard:
            self._heard.wait_for(lambda: len(self.said) >= count, _LIMIT_S)
            return list(self.said)

    def hear(self, text: bytes) -> None:
        """Take a post; what was held back is sent from then on."""
        with self._heard:
            self.said.append(json.loads(text))
            self._heard.notify_all()
        self._released.set()

    def pieces(self, path: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes of an answer, of which some may have to wait."""
        data = self.files[path][1]
        while start < end:
            border = self.held.get(path, len(data))
            if start >= border:
                self._released.wait(_LIMIT_S)
                border = len(data)
            stop = min(start + _PIECE, end, border)
            yield data[start:stop]
            start = stop


@contextlib.contextmanager
def serving(files: dict[str, tuple[str, bytes]], **held: int) -> Iterator[RangeServer]:
    """Serve files as long as the context lasts.

    Args:
        files: media type and bytes of each path, which begins with "/".
        held: see `RangeServer`; names are paths without "/" and with "_" for ".".
    """
    paths = {path[1:].replace(".", "_"): path for path in files}
    served = RangeServer(files, {paths[name]: at for name, at in held.items()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path not in served.files:
                self.send_error(404)
                return
            kind, data = served.files[self.path]
            start, end = 0, len(data)
            given = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if given is not None:
                start = int(given[1])
                end = min(end, int(given[2]) + 1) if given[2] else end
            self.send_response(200 if given is None else 206)
            self.send_header("Content-Type", kind)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end - start))
            if given is not None:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                for piece in served.pieces(self.path, start, end):
                    self.wfile.write(piece)

        def do_POST(self) -> None:
            served.hear(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        served._released.set()
        server.shutdown()
        thread.join()
        server.server_close()
