"""Channels for the messages of gangs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mu.messages.opening import SOCKETS, STORE, VALKEY
from tests.support.redis import RedisServer, a_redis

AWS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not a secret",
    "AWS_SESSION_TOKEN": "of/a+session==",
    "AWS_DEFAULT_REGION": "eu-north-1",
}
"""Credentials that nobody checks; a server of an account does."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server, with a user who has the rights of messages alone."""
    with a_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The same over TLS."""
    with a_redis(tmp_path_factory.mktemp("redis-tls"), tls=True) as running:
        yield running


@pytest.fixture(params=[SOCKETS, STORE, "rediss", VALKEY])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each kind of channel, as `begin_channel` is told of it."""
    if request.param in (SOCKETS, STORE):
        return str(request.param)
    server: RedisServer = request.getfixturevalue("tls_server")
    if request.param == VALKEY:
        for name, value in AWS.items():
            monkeypatch.setenv(name, value)
        return server.signed_in
    return server.url
