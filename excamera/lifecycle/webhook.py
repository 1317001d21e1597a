"""Notices as signed HTTP requests, after the scheme of standardwebhooks.com.

The signature is an HMAC-SHA256 over ``id.timestamp.body``. A receiver that knows the secret can
verify that a request came from this stack, when, and unchanged. The id shows which requests came
twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

from excamera.errors import PermanentError, TransientError

Post = Callable[[bytes, dict[str, str]], int]
"""Sends a body with headers and returns the status of the answer.

Raises `OSError` if there was no answer.
"""

PAUSES_S = (1.0, 3.0)
"""Pauses between the attempts of one call."""

SECRET_PREFIX = "whsec_"
_WORTH_A_RETRY = frozenset({408, 429})


class WebhookUnavailable(TransientError):
    """The receiver did not answer, or cannot take the request now."""


class WebhookRefused(PermanentError):
    """The receiver rejected the request."""


def signature(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """The value of the header ``webhook-signature``.

    Args:
        secret: the key as base64, with or without the prefix that other implementations show.
        message: the message's id.
        timestamp: time of sending, in seconds since 1970.
        body: the body of the request.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = f"{message}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def deliver(
    notice: dict[str, Any],
    secret: str,
    post: Post,
    *,
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> int:
    """Send a notice, with retries after a pause if they may help; returns the answer's status.

    Args:
        notice: the notice of a job's end.
        secret: see `signature`.
        post: sends one request.
        now: returns the time in seconds since 1970.
        sleep: waits for a number of seconds.

    Raises:
        WebhookUnavailable: no attempt had an answer, or each had 5xx, 408 or 429.
        WebhookRefused: the answer was anything else but 2xx. Redirects are not followed.
    """
    body = json.dumps(notice, separators=(",", ":")).encode()
    said = ""
    for _ in _attempts(sleep):
        timestamp = int(now())
        headers = {
            "content-type": "application/json",
            "user-agent": "ExCamera",
            "webhook-id": notice["id"],
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, notice["id"], timestamp, body),
        }
        try:
            status = post(body, headers)
        except OSError as error:
            said = f"no answer ({type(error).__name__}: {error})"
            continue
        if 200 <= status < 300:
            return status
        said = f"status {status}"
        if status < 500 and status not in _WORTH_A_RETRY:
            raise WebhookRefused(f"the webhook's receiver refused {notice['id']}: {said}")
    raise WebhookUnavailable(f"the webhook's receiver did not take {notice['id']}: {said}")


def _attempts(sleep: Callable[[float], None]) -> Iterator[int]:
    yield 1
    for number, pause_s in enumerate(PAUSES_S, start=2):
        sleep(pause_s)
        yield number
