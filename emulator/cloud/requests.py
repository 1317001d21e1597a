"""Counts incoming AWS calls, and answers the emulator's own requests.

GET  /_emulator/requests            {"s3:GetObject": 12, ...}
GET  /_emulator/workers?function=f  ids of processes that run an invocation of f now
GET  /_emulator/calls               how many invocations run, or wait for their environments
GET  /_emulator/rights              [[role, action, resource], ...] that alone allowed a request
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

_OBJECT = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
_BUCKET = {
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
    "POST": "PostObject",
}
# (method, query parameter) of calls that the parameter names.
_OBJECT_BY_QUERY = {
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploadId"): "ListParts",
    ("PUT", "uploadId"): "UploadPart",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("GET", "attributes"): "GetObjectAttributes",
}
_BUCKET_BY_QUERY = {
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "versions"): "ListObjectVersions",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "location"): "GetBucketLocation",
    ("POST", "delete"): "DeleteObjects",
}


def operation(method: str, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> str:
    """Returns the AWS call that a request makes, as "service:Operation".

    Calls are "service:METHOD" if the service is not S3 or Lambda and neither a header nor a
    parameter names the call.
    """
    target = headers.get("x-amz-target")
    service = _signed_service(headers, query)
    if target:
        name = target.rsplit(".", 1)[-1]
        return f"{service or target.split('.')[0].lower()}:{name}"
    if "Action" in query:
        return f"{service}:{query['Action'][0]}"
    if service == "lambda":
        return f"lambda:{'Invoke' if path.endswith('/invocations') else method}"
    if service in ("", "s3"):
        return f"s3:{_s3_operation(method, path, query, headers)}"
    return f"{service}:{method}"


def _signed_service(headers: dict[str, str], query: dict[str, list[str]]) -> str:
    """Returns the service in the signature: .../date/region/service/aws4_request."""
    signature = headers.get("authorization") or query.get("X-Amz-Credential", [""])[0]
    scope = signature.split("/aws4_request")[0].split("/")
    return scope[-1] if len(scope) > 3 else ""


def _s3_operation(
    method: str, path: str, query: dict[str, list[str]], headers: dict[str, str]
) -> str:
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    named = _OBJECT_BY_QUERY if key else _BUCKET_BY_QUERY
    for (verb, parameter), name in named.items():
        if verb == method and parameter in query:
            copies = name == "UploadPart" and "x-amz-copy-source" in headers
            return "UploadPartCopy" if copies else name
    if key and method == "PUT" and "x-amz-copy-source" in headers:
        return "CopyObject"
    return (_OBJECT if key else _BUCKET).get(method, method)


class CountedApplication:
    """An ASGI application that counts the requests it passes on."""

    def __init__(
        self,
        application: Application,
        workers: Callable[[str], list[int]],
        calls: Callable[[], int],
        rights: Callable[[], list[tuple[str, str, str]]],
    ) -> None:
        self._application = application
        self._workers = workers
        self._calls = calls
        self._rights = rights
        self._counts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serves one connection."""
        if scope["type"] != "http":
            return await self._application(scope, receive, send)
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        path = scope["path"]
        if path == "/_emulator/requests":
            return await _answer(send, self._counts)
        if path == "/_emulator/workers":
            return await _answer(send, self._workers(query["function"][0]))
        if path == "/_emulator/calls":
            return await _answer(send, self._calls())
        if path == "/_emulator/rights":
            return await _answer(send, self._rights())
        if not path.startswith("/_"):
            headers = {
                name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]
            }
            if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
                receive = self._count_form(scope["method"], path, headers, receive)
            else:
                self._counts[operation(scope["method"], path, query, headers)] += 1
        return await self._application(scope, receive, send)

    def _count_form(self, method: str, path: str, headers: dict[str, str], receive: Any) -> Any:
        """Counts a call that is named in its body, as those of CloudFormation and SQS may be."""
        body = bytearray()

        async def listening() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    form = parse_qs(body.decode("latin-1"))
                    self._counts[operation(method, path, form, headers)] += 1
            return message

        return listening


async def _answer(send: Any, answer: Any) -> None:
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
