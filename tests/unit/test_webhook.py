"""Notices as signed requests: the signature and the retries."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from excamera.lifecycle.webhook import (
    PAUSES_S,
    WebhookRefused,
    WebhookUnavailable,
    deliver,
    signature,
)
from tests.support.pages import code_block, section

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOTICE = {"id": "n1", "job": "j", "status": "succeeded"}


class Server:
    """Answers in turn; `None` is no answer at all."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[bytes, dict[str, str]]] = []
        self.slept: list[float] = []

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        self.requests.append((body, headers))
        answer = self.answers.pop(0)
        if answer is None:
            raise ConnectionResetError("gone")
        return answer

    def deliver(self, now: Callable[[], float] = lambda: 1_700_000_000.9) -> int:
        return deliver(NOTICE, SECRET, self.post, now=now, sleep=self.slept.append)


def test_the_signature_is_that_of_the_scheme() -> None:
    """If this fails, no library of Standard Webhooks can verify ours.

    The expected value was computed with openssl: printf 'id.timestamp.body' | openssl dgst
    -sha256 -mac HMAC -macopt hexkey:... -binary | base64.
    """
    expected = "v1,9o7UeFkn1GjVbcY4emAJruJCYqgH2EIf8u/slvVRBZI="
    assert signature(SECRET, "msg_1", 1614265330, b'{"test": 2432232314}') == expected
    assert signature(f"whsec_{SECRET}", "msg_1", 1614265330, b'{"test": 2432232314}') == expected


def test_the_pages_snippet_knows_genuine_requests() -> None:
    """If this fails, users who follow docs/operations.md reject notices, or accept forgeries."""
    names: dict[str, Callable[..., bool]] = {}
    exec(code_block(section("docs/operations.md", "Webhook"), "python"), names)
    is_genuine = names["is_genuine"]
    server = Server(200)
    server.deliver()
    ((body, headers),) = server.requests
    old = 10**10
    assert is_genuine(SECRET, headers, body, tolerance_s=old)
    assert not is_genuine(SECRET, headers, body), "it was sent years ago"
    assert not is_genuine(SECRET, headers, body + b" ", tolerance_s=old)
    other = base64.b64encode(b"another key of thirty-two bytes.").decode()
    assert not is_genuine(other, headers, body, tolerance_s=old)
    several = {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}
    assert is_genuine(SECRET, several, body, tolerance_s=old)


@pytest.mark.parametrize("first", [500, 503, 408, 429, None])
def test_what_may_pass_is_tried_again(first: int | None) -> None:
    """If this fails, a receiver that was away for a moment never gets the notice."""
    server = Server(first, 204)
    assert server.deliver() == 204
    assert server.slept == [PAUSES_S[0]]
    assert [headers["webhook-id"] for _, headers in server.requests] == ["n1", "n1"]


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 422])
def test_what_is_refused_is_not_tried_again(status: int) -> None:
    """If this fails, a receiver that refused is asked again, or a redirect is followed."""
    server = Server(status)
    with pytest.raises(WebhookRefused, match=f"n1: status {status}"):
        server.deliver()
    assert server.slept == []


def test_who_stays_away_is_reported() -> None:
    """If this fails, a notice that was never delivered counts as delivered."""
    server = Server(None, 502, None)
    with pytest.raises(WebhookUnavailable, match=r"no answer .ConnectionResetError: gone"):
        server.deliver()
    assert server.slept == list(PAUSES_S)
