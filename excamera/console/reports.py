"""Reports about jobs, which the program `excamera report` makes when somebody asks for one.

They are of the console, not of the API: frames are measured on the machine that shows them.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from excamera.api.models import JOB_ID
from excamera.api.refusals import NotFound
from excamera.console.site import Gate, json_answer, not_allowed, refused
from excamera.console.urls import SignedPaths
from excamera.console.web import Answer, Request

_PATH = re.compile(rf"/reports/({JOB_ID.strip('^$')})(/page)?")
_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""A report runs the scripts that its own policy names, and belongs to no site: it cannot call the
console."""


class ReportState(BaseModel):
    """What has become of a report."""

    state: Literal["making", "made", "failed"]
    url: str | None = None
    message: str | None = None


class Reports:
    """The reports of a console.

    Args:
        gate: knows who may call.
        paths: signs their addresses.
        command: of a job: what `excamera report` is asked for. It raises `Refusal`.
        place: of a job: the page's file.
    """

    def __init__(
        self,
        gate: Gate,
        paths: SignedPaths,
        command: Callable[[str], Sequence[str]],
        place: Callable[[str], Path],
    ) -> None:
        self._gate = gate
        self._paths = paths
        self._command = command
        self._place = place
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._making: dict[str, subprocess.Popen[str] | None] = {}
        self._failures: dict[str, str] = {}
        self._closed = False

    def __call__(self, request: Request) -> Answer | None:
        """Answer a request for a report, or return None if it is for something else.

        Raises:
            Refusal: there is no such job, or it has not ended.
        """
        found = _PATH.fullmatch(request.path)
        if found is None:
            return None
        job, is_page = found.groups()
        if is_page:
            if not self._paths.proves(request.method, request.path, request.query):
                return not_allowed()
            return self._page(job)
        if not self._gate.lets_in(request):
            return not_allowed()
        if request.method != "POST":
            return refused(NotFound("a report is asked for with POST"))
        return json_answer(self.ask(job))

    def ask(self, job: str) -> ReportState:
        """What has become of a job's report; begin to make it, if nobody has.

        Raises:
            Refusal: there is no such job, or it has not ended.
        """
        command = self._command(job)
        with self._lock:
            if self._place(job).is_file():
                return ReportState(state="made", url=self._paths.sign("GET", _page_of(job)))
            if job in self._failures:
                # Whoever asks again has it tried again.
                return ReportState(state="failed", message=self._failures.pop(job))
            if job not in self._making and not self._closed:
                self._making[job] = None
                thread = threading.Thread(target=self._make, args=(job, command), daemon=True)
                thread.start()
            return ReportState(state="making")

    def close(self) -> None:
        """End what is being made."""
        with self._lock:
            self._closed = True
            programs = [one for one in self._making.values() if one is not None]
        for program in programs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)

    def _page(self, job: str) -> Answer:
        try:
            data = self._place(job).read_bytes()
        except OSError:
            return refused(NotFound(f"there is no report of {job}: ask for it again"))
        return Answer.of(
            HTTPStatus.OK, "text/html; charset=utf-8", data, Content_Security_Policy=_POLICY
        )

    def _make(self, job: str, command: Sequence[str]) -> None:
        # A report takes all CPUs.
        with self._turn:
            with self._lock:
                if self._closed:
                    return
                program = subprocess.Popen(
                    [sys.executable, "-m", "excamera", "report", *command,
                     "-o", str(self._place(job))],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    text=True, errors="replace", start_new_session=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )  # fmt: skip
                self._making[job] = program
            _, said = program.communicate()
            with self._lock:
                del self._making[job]
                if program.returncode != 0:
                    lines = said.strip().splitlines() or ["the program has ended without a word"]
                    self._failures[job] = lines[-1].removeprefix("Error: ")


def _page_of(job: str) -> str:
    return f"/reports/{job}/page"
