"""Runs executions of state machines for MiniStack; serves on a loopback port, which it prints.

POST /start     a `Run`; answers {}
GET  /report    ?arn=&after=&wait=  the status, and the events that the caller lacks
POST /stop      {"arn": ...}
POST /validate  {"definition": ...}; answers {"problem": null or a text}
POST /reset     stops and forgets everything
"""

import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from emulator.lifeline import end_with_parent
from emulator.states import library

library.prepare()

from emulator.states import corrections  # noqa: E402 -- importable only once prepared
from emulator.states.execution import Execution, Run, parse  # noqa: E402

_executions: dict[str, Execution] = {}
_lock = threading.Lock()


def start(body: dict[str, Any]) -> dict[str, Any]:
    """Runs an execution; a redriven one replaces the earlier run."""
    run = Run(**body)
    library.CLIENTS.configure(run.role_arn, run.client_settings)
    execution = Execution(run)
    with _lock:
        _executions[run.arn] = execution
    execution.start()
    return {}


def report(query: dict[str, list[str]]) -> dict[str, Any]:
    """Returns the state of an execution."""
    with _lock:
        execution = _executions.get(query["arn"][0])
    if execution is None:
        return {"status": "UNKNOWN", "events": []}
    return execution.report(int(query["after"][0]), float(query["wait"][0]))


def stop(body: dict[str, Any]) -> dict[str, Any]:
    """Stops an execution, if it still runs."""
    with _lock:
        execution = _executions.get(body["arn"])
    if execution is not None:
        execution.stop()
    return {}


def validate(body: dict[str, Any]) -> dict[str, Any]:
    """Reports what is wrong with a definition, if anything."""
    try:
        parse(body["definition"])
    except Exception as error:
        return {"problem": f"{type(error).__name__}: {error}"}
    return {"problem": None}


def reset(_body: dict[str, Any]) -> dict[str, Any]:
    """Stops and forgets all executions."""
    with _lock:
        ended = list(_executions.values())
        _executions.clear()
    for execution in ended:
        execution.stop()
    return {}


_POST = {"/start": start, "/stop": stop, "/validate": validate, "/reset": reset}


class Handler(BaseHTTPRequestHandler):
    """JSON in, JSON out."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Reports on an execution."""
        self._answer(report(parse_qs(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        """Does what the path names."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(_POST[self.path](body))

    def _answer(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer, default=str).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: MiniStack sends several requests a second."""


class Server(ThreadingHTTPServer):
    """One thread per request, with room for a burst of executions."""

    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    """Serves until the parent closes standard input or dies."""
    # A map's worker walks the items by recursion.
    sys.setrecursionlimit(100_000)
    # It logs every failure of a task as an error, with the whole program.
    logging.getLogger("localstack").setLevel(logging.CRITICAL)
    corrections.apply()
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    end_with_parent()
    server.serve_forever()


main()
