"""The console of a stack: passes requests on to its API, with the proof of who asks.

The page comes from the stack, too, so that it fits the API. Addresses of S3 or CloudFront in the
answers become addresses of this server, which passes those requests on as well: the page talks to
one server only, and no bucket has to trust a page.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3

from excamera.api.refusals import NotFound, TooLarge, Unavailable
from excamera.cloud.api import Api, http
from excamera.console.page import INDEX
from excamera.console.reports import POLICY
from excamera.console.site import JSON_BYTES, PAGE, Gate, not_allowed, refused
from excamera.console.urls import SignedPaths
from excamera.console.web import Answer, Request
from excamera.errors import ExCameraError

_FORWARD = "/forward/"
_REPORT = "/reports/"
"""What is passed on under it is a report's page, which may do less than others."""

_DOCUMENT_BYTES = 1 << 20
_BLOCK = 1 << 18
_ASKED = ("content-type", "idempotency-key")
_SENT = ("content-type", "range")
_TOLD = ("Content-Type", "ETag", "Content-Range", "Accept-Ranges")
_NAME = re.compile(r"[a-z]+\.[a-z]+")


class RemoteSite:
    """Answers the requests of a stack's console.

    Args:
        gate: knows who may call.
        paths: signs and checks addresses.
        api: the stack's.
    """

    def __init__(self, gate: Gate, paths: SignedPaths, api: Api) -> None:
        self._gate = gate
        self._paths = paths
        self._api = api
        self._http = http()

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        try:
            if request.path in ("/", PAGE.rstrip("/")):
                return Answer(HTTPStatus.FOUND, headers={"Location": PAGE})
            if request.path.startswith(PAGE):
                return self._page(request)
            for prefix, more in ((_FORWARD, {}), (_REPORT, {"Content-Security-Policy": POLICY})):
                if request.path.startswith(prefix):
                    if not self._paths.proves(request.method, request.path, request.query):
                        return not_allowed()
                    passed = self._forwarded(request, request.path.removeprefix(prefix))
                    return replace(passed, headers={**passed.headers, **more})
            if not self._gate.lets_in(request):
                return not_allowed()
            return self._asked(request)
        except ExCameraError as error:
            return refused(Unavailable(str(error)))

    def _page(self, request: Request) -> Answer:
        name = request.path.removeprefix(PAGE) or INDEX
        if request.method not in ("GET", "HEAD") or not _NAME.fullmatch(name):
            return refused(NotFound("there is no such file of the console's page"))
        return _answer(self._api.forward("GET", PAGE + name, b"", {}))

    def _asked(self, request: Request) -> Answer:
        if request.length > JSON_BYTES:
            return refused(TooLarge(f"the body is larger than {JSON_BYTES} bytes"))
        body = request.body.read(request.length)
        answer = self._api.forward(request.method, request.raw_path, body, _some(request, _ASKED))
        if answer.status >= HTTPStatus.BAD_REQUEST:
            return _answer(answer)
        return Answer.of(
            answer.status, "application/json", json.dumps(self._ours(answer.json())).encode()
        )

    def _ours(self, told: Any) -> Any:
        """An answer of the API in which all addresses are of this server."""
        if not isinstance(told, dict):
            return told
        upload, result = told.get("upload"), told.get("result")
        if upload:
            parts = [{**part, "url": self._address("PUT", part["url"])} for part in upload["parts"]]
            end = self._address("POST", upload["complete_url"])
            told = {**told, "upload": {**upload, "parts": parts, "complete_url": end}}
        if result:
            files = [self._of_result(one) for one in result.get("files", ())]
            told = {**told, "result": {**self._of_result(result), "files": files}}
        if told.get("facts_url"):  # of a report
            page = self._address("GET", told["url"], _REPORT)
            told = {**told, "url": page, "facts_url": self._address("GET", told["facts_url"])}
        return told

    def _of_result(self, told: dict[str, Any]) -> dict[str, Any]:
        return {**told, "url": told["url"] and self._address("GET", told["url"])}

    def _address(self, method: str, url: str, prefix: str = _FORWARD) -> str:
        # The signature covers it, so this server asks for no address that the API has not given.
        packed = base64.urlsafe_b64encode(url.encode()).decode()
        return self._paths.sign(method, prefix + packed)

    def _forwarded(self, request: Request, packed: str) -> Answer:
        """What S3 or CloudFront answers; films pass through in blocks."""
        url = base64.urlsafe_b64decode(packed).decode()
        headers = _some(request, _SENT)
        if request.method == "PUT":
            # A type would be signed, too.
            headers = {"Content-Length": str(request.length)}
        if request.method == "POST" and request.length > _DOCUMENT_BYTES:
            return refused(TooLarge(f"the body is larger than {_DOCUMENT_BYTES} bytes"))
        try:
            answer = self._http.request(
                request.method,
                url,
                body=_sent(request) if request.length else None,
                headers={**headers, "Content-Length": str(request.length)}
                if request.length
                else headers,
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return refused(Unavailable(f"{urlsplit(url).hostname} does not answer: {error}"))
        length = answer.headers.get("Content-Length")
        if length is None or request.method != "GET":
            with answer:
                return _answer(answer)
        return Answer(answer.status, _received(answer), int(length), _told(answer.headers))


def _sent(request: Request) -> Iterator[bytes]:
    left = request.length
    while left:
        block = request.body.read(min(_BLOCK, left))
        if not block:
            return
        left -= len(block)
        yield block


def _received(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield from answer.stream(_BLOCK, decode_content=False)
        answer.release_conn()
    finally:
        answer.close()


def _answer(answer: urllib3.BaseHTTPResponse) -> Answer:
    data = answer.data
    return Answer(answer.status, [data], len(data), _told(answer.headers))


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    found = {name: headers[name] for name in _TOLD if name in headers}
    return {**found, "Cache-Control": "no-store"}


def _some(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    return {name: request.headers[name] for name in names if name in request.headers}
