"""The stack's REST API over HTTP, with signed requests and retries."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import quote, urlencode

import urllib3

from excamera.cloud.account import Account, Stack, authority
from excamera.errors import ApiRefused, CloudUnavailable, NoSuchJob, NotAllowed, StackTooOld

Json = Any
Prove = Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]

_ATTEMPTS = 6
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_AGAIN = frozenset({429, 500, 502, 503, 504})
_KEY_VARIABLE = "EXCAMERA_API_KEY"


def http() -> urllib3.PoolManager:
    """A pool of connections without retries: not every request may be repeated."""
    return urllib3.PoolManager(
        maxsize=16,
        retries=False,
        timeout=urllib3.Timeout(connect=10, read=60),
        ca_certs=authority(),
    )


def pause(attempt: int) -> None:
    """Wait before a retry: longer each time, and for a random part of that time."""
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
    time.sleep(random.uniform(longest / 2, longest))


def expired(answer: urllib3.BaseHTTPResponse, body: bytes) -> bool:
    """Whether S3 or CloudFront refuses a URL because it, or what signed it, has expired.

    Args:
        answer: the answer to a request.
        body: its body, or the beginning of it.
    """
    return answer.status == 403 or (answer.status == 400 and b"ExpiredToken" in body)


class Api:
    """One stack's API.

    Args:
        url: its address.
        prove: returns a request's headers with a proof of its sender.
        first: is entered for the first request, which may have to wait for a cold function.
    """

    def __init__(
        self, url: str, prove: Prove, first: contextlib.AbstractContextManager[None] | None = None
    ) -> None:
        self._url = url
        self._prove = prove
        self._http = http()
        self._first = first

    @classmethod
    def of_stack(
        cls,
        account: Account,
        stack: Stack,
        first: contextlib.AbstractContextManager[None] | None = None,
    ) -> Self:
        """The API of a deployed stack, with the credentials or the key that it requires.

        Args:
            account: the account that has it.
            stack: the stack.
            first: is entered for the first request.

        Raises:
            StackTooOld: the stack has no API.
        """
        if "ApiUrl" not in stack.outputs:
            raise StackTooOld(f"the stack {stack.name} has no API: deploy it again")
        url = account.api_url(stack.outputs["ApiUrl"])
        if "ApiKeyId" not in stack.outputs:
            return cls(url, account.signed, first)
        key = os.environ.get(_KEY_VARIABLE) or account.api_key(stack.outputs["ApiKeyId"])
        return cls(url, lambda _method, _url, headers, _body: {**headers, "x-api-key": key}, first)

    def get(self, path: str, **query: Any) -> Json:
        """The answer to a GET."""
        return self._ask("GET", path, query)

    def post(self, path: str, body: Json, *, idempotency_key: str) -> tuple[Json, bool]:
        """The answer to a POST, and whether it created something.

        The key makes it safe to retry if no answer came.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        answer, status = self._send("POST", path, {}, json.dumps(body).encode(), headers)
        return answer, status == 201

    def ask_for(self, path: str) -> Json:
        """The answer to a POST without a body that may come twice."""
        return self._ask("POST", path, {})

    def delete(self, path: str) -> Json:
        """The answer to a DELETE."""
        return self._ask("DELETE", path, {})

    def forward(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        """The answer to somebody else's request, which is sent once, with our proof.

        Args:
            method: of the request.
            path: quoted, with its query.
            body: of the request.
            headers: of the request.

        Raises:
            CloudUnavailable: the API does not answer.
        """
        url = self._url + path
        try:
            proven = self._prove(method, url, headers, body)
            return self._http.request(method, url, body=body or None, headers=proven)
        except urllib3.exceptions.HTTPError as error:
            raise CloudUnavailable(f"the API at {self._url} does not answer: {error}") from error

    def _ask(self, method: str, path: str, query: Mapping[str, Any]) -> Json:
        return self._send(method, path, query, b"", {})[0]

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: bytes,
        headers: Mapping[str, str],
    ) -> tuple[Json, int]:
        first, self._first = self._first, None
        with first or contextlib.nullcontext():
            return self._answer(method, path, query, body, headers)

    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: bytes,
        headers: Mapping[str, str],
    ) -> tuple[Json, int]:
        given = {name: value for name, value in query.items() if value is not None}
        url = self._url + quote(path) + (f"?{urlencode(given)}" if given else "")
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                pause(attempt)
            proven = self._prove(method, url, headers, body)
            try:
                answer = self._http.request(method, url, body=body or None, headers=proven)
            except urllib3.exceptions.HTTPError as error:
                problem = str(error)
                continue
            if answer.status < 300:
                return answer.json(), answer.status
            problem = _refused(answer)
            if answer.status not in _AGAIN:
                raise _error(answer.status, problem)
        raise CloudUnavailable(f"the API at {self._url} does not answer: {problem}")


def _refused(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        body = answer.json()
        return str(body.get("detail") or body.get("message") or body)
    except (ValueError, AttributeError):
        return answer.data[:200].decode(errors="replace") or f"status {answer.status}"


def _error(status: int, problem: str) -> Exception:
    if status in (401, 403):
        return NotAllowed(
            f"the API refuses: {problem}; the credentials need execute-api:Invoke on it"
        )
    return NoSuchJob(problem) if status == 404 else ApiRefused(problem)
