"""Somebody who calls the API of a console."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulator.runs import until
from excamera.cloud.api import Api
from excamera.cloud.upload import upload_file
from excamera.console.local import local_console

ENDED = ("succeeded", "failed", "stopped")


@dataclass
class Caller:
    """Requests to a console.

    Attributes:
        address: of the console.
        token: of the console.
    """

    address: str
    token: str

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; without the token unless `headers` has it."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, given)
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    @property
    def proof(self) -> str:
        """What the header Authorization must be."""
        return f"Bearer {self.token}"

    @cached_property
    def api(self) -> Api:
        """The client of a stack's API, which calls this one."""
        return Api(self.address, lambda _m, _u, given, _b: {**given, "Authorization": self.proof})

    def submit(self, film: Path, **options: Any) -> dict[str, Any]:
        """Make a job of a film as `excamera submit` does, and send it."""
        request = {"upload": True, "name": film.name, "size": film.stat().st_size,
                   "options": options}  # fmt: skip
        job, _ = self.api.post("/jobs", request, idempotency_key=f"{film}{options}")
        upload_file(film, job, self.api, lambda _: None)
        return self.get(job["id"])

    def get(self, job: str) -> dict[str, Any]:
        """A job."""
        found: dict[str, Any] = self.api.get(f"/jobs/{job}")
        return found

    def ended(self, job: str) -> dict[str, Any]:
        """A job when it has ended."""
        found: dict[str, Any] = until(
            lambda: one if (one := self.get(job))["state"] in ENDED else None
        )
        return found


@contextmanager
def calling(folder: Path, port: int = 0) -> Iterator[Caller]:
    """Somebody who may call the console of a folder."""
    with local_console(folder, port) as opened:
        split = urlsplit(opened)
        yield Caller(f"http://{split.netloc}", split.fragment)
