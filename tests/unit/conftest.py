"""Channels for the messages of gangs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mu.messages.opening import SOCKETS, STORE
from tests.support.redis import RedisServer, a_redis


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


@pytest.fixture(params=[SOCKETS, STORE, "rediss"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of channel, as `begin_channel` is told of it."""
    if request.param == "rediss":
        return str(request.getfixturevalue("tls_server").url)
    return str(request.param)
