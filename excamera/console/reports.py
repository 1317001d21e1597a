"""Reports about jobs of this machine, which the program `excamera report` makes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path

from excamera.api.answers import JobReport
from excamera.api.refusals import NotFound
from excamera.console.urls import SignedPaths
from excamera.console.web import Answer
from mu.whole import whole_file

POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""A report runs the scripts that its own policy names, and belongs to no site: it cannot call the
console."""


class Reports:
    """The reports of a console.

    Args:
        paths: signs their addresses.
        command: of a job: what `excamera report` is asked for. It raises `Refusal`.
        place: of a job: the page's file. Its facts lie beside it, and are written last.
    """

    def __init__(
        self,
        paths: SignedPaths,
        command: Callable[[str], Sequence[str]],
        place: Callable[[str], Path],
    ) -> None:
        self._paths = paths
        self._command = command
        self._place = place
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._making: dict[str, subprocess.Popen[str] | None] = {}
        self._failures: dict[str, str] = {}
        self._closed = False

    def ask(self, job: str) -> JobReport:
        """Have a job's report made, unless it is there or being made.

        Raises:
            Refusal: there is no such job, or it has not ended.
        """
        command = self._command(job)
        with self._lock:
            known = self._known(job)
            if known is not None and known.state != "failed":
                return known
            self._failures.pop(job, None)
            if not self._closed:
                self._making[job] = None
                thread = threading.Thread(target=self._make, args=(job, command), daemon=True)
                thread.start()
            return JobReport(state="making")

    def get(self, job: str) -> JobReport:
        """What has become of a job's report.

        Raises:
            NotFound: nobody has asked for it.
        """
        with self._lock:
            known = self._known(job)
        if known is None:
            raise NotFound(f"there is no report of a job {job}: ask for it with POST")
        return known

    def page(self, job: str) -> Answer:
        """The page.

        Raises:
            NotFound: there is none.
        """
        data = self._read(job, self._place(job))
        return Answer.of(
            HTTPStatus.OK, "text/html; charset=utf-8", data, Content_Security_Policy=POLICY
        )

    def facts(self, job: str) -> Answer:
        """Its facts as JSON.

        Raises:
            NotFound: there is none.
        """
        return Answer.of(HTTPStatus.OK, "application/json", self._read(job, self._facts(job)))

    def _known(self, job: str) -> JobReport | None:
        if job in self._making:
            return JobReport(state="making")
        if job in self._failures:
            return JobReport(state="failed", message=self._failures[job])
        if not self._facts(job).is_file():
            return None
        return JobReport(
            state="made",
            url=self._paths.sign("GET", f"/reports/{job}/page"),
            facts_url=self._paths.sign("GET", f"/reports/{job}/facts"),
            expires=self._paths.expires(),
        )

    def _facts(self, job: str) -> Path:
        return self._place(job).with_suffix(".json")

    def _read(self, job: str, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise NotFound(f"there is no report of {job}: ask for it again") from error

    def close(self) -> None:
        """End what is being made."""
        with self._lock:
            self._closed = True
            programs = [one for one in self._making.values() if one is not None]
        for program in programs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)

    def _make(self, job: str, command: Sequence[str]) -> None:
        # A report takes all CPUs.
        with self._turn:
            with self._lock:
                if self._closed:
                    return
                program = subprocess.Popen(
                    [sys.executable, "-m", "excamera", "report", *command, "--json",
                     "-o", str(self._place(job))],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    text=True, errors="replace", start_new_session=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )  # fmt: skip
                self._making[job] = program
            facts, said = program.communicate()
            lines = said.strip().splitlines() or ["the program has ended without a word"]
            failure = lines[-1].removeprefix("Error: ") if program.returncode != 0 else ""
            if not failure:
                try:
                    with whole_file(self._facts(job)) as part:
                        part.write_text(facts, encoding="utf-8")
                except OSError as error:
                    failure = f"{self._facts(job).name}: {error.strerror}"
            with self._lock:
                del self._making[job]
                if failure:
                    self._failures[job] = failure
