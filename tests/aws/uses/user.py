"""Somebody who uses the stack: uploads films, and asks the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import urllib3

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.runs import until
from excamera.cloud.account import Account
from excamera.cloud.api import http
from tests.aws.noise import write_noise
from tests.aws.spans import FRAMES, padded
from tests.pipeline.clips import Clip


class User:
    """A user of the stack, each of whose uses has keys of its own."""

    def __init__(self, emulator: Emulator, stack: Deployed, film: Path, long_film: Path) -> None:
        self._emulator = emulator
        self._stack = stack
        self._film = film
        self._long_film = long_film
        # Encoded on one CPU it takes so long that more memory is faster.
        wide = Clip(frames=FRAMES, width=640, height=360).write(film.with_name("wide.mp4"))
        self._wide_film = padded(wide)
        self._noise = write_noise(film.with_name("noise.mkv"), 18)
        self._number = 0

    def _key(self) -> str:
        self._number += 1
        return f"{self._number}.mp4"

    def _ask(self, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
        account = Account()
        url = account.api_url(self._stack.outputs["ApiUrl"]) + path
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        signed = account.signed(method, url, headers, data)
        return http().request(method, url, body=data, headers=signed)

    def _ended(self, job: str) -> dict[str, Any]:
        """Waits until a job has ended or cannot be read; returns it."""

        def found() -> dict[str, Any]:
            answer = self._ask("GET", f"/jobs/{job}")
            if answer.status != 200:
                return {"state": str(answer.status)}
            told: dict[str, Any] = answer.json()
            return told if told["phase"] == "ended" else {}

        ended: dict[str, Any] = until(found)
        return ended


def kept(stack: Deployed) -> list[str]:
    """Takes one message, if any, from the queue of unhandled events; returns its condition."""
    queue, sqs = stack.queue(), stack.client("sqs")
    for message in sqs.receive_message(QueueUrl=queue).get("Messages", ()):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["requestContext"]["condition"]]
    return []
