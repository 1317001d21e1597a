"""MiniStack's requests to the Step Functions process; see `emulator/states/__main__.py`."""

import http.client
import json
import threading
from typing import Any
from urllib.parse import urlencode

# How long an answer is held back while an execution runs, in seconds. The history of a running
# execution may be stale by as much.
_REPORT_WAIT_S = 0.25


class Interpreter:
    """The process that runs executions."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def start(self, run: dict[str, Any]) -> None:
        """Runs an execution; see `emulator.states.execution.Run`."""
        self._call("POST", "/start", run)

    def stop(self, arn: str) -> None:
        """Stops an execution, if it still runs."""
        self._call("POST", "/stop", {"arn": arn})

    def report(self, arn: str, after: int, wait_s: float = _REPORT_WAIT_S) -> dict[str, Any]:
        """Returns an execution's status, and its events after the first `after`."""
        query = urlencode({"arn": arn, "after": after, "wait": wait_s})
        return self._call("GET", f"/report?{query}")

    def problem_of(self, definition: str) -> str | None:
        """Returns what is wrong with a definition, if anything."""
        problem: str | None = self._call("POST", "/validate", {"definition": definition})["problem"]
        return problem

    def reset(self) -> None:
        """Stops and forgets all executions."""
        self._call("POST", "/reset", {})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection: http.client.HTTPConnection = self._local.connection
        connection.request(method, path, None if body is None else json.dumps(body))
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
