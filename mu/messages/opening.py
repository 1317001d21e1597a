"""Opening a channel by its URL: the only module that knows every kind of channel."""

from __future__ import annotations

import contextlib
from typing import Protocol

from mu.errors import ChannelRefused
from mu.messages.channel import Channel
from mu.messages.divided import DividedChannel
from mu.messages.in_store import StoreChannel
from mu.messages.on_machine import MessageHub, SocketChannel
from mu.store.protocol import Store

SOCKETS = "sockets"
STORE = "store"
VALKEY = "valkey"
"""The server that a stack has of its own. Only its workers reach it."""

_HUB = "hub:"
_SERVERS = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
"""Schemes, and what redis-py calls them."""

_ELASTICACHE = "elasticache:"
_BEGUN = "begun"


class Director(Protocol):
    """What an engine needs of the channel of a job that it directs; see `Channel`."""

    def put(self, key: str, data: bytes) -> None:
        """See `Channel.put`."""

    def get(self, key: str) -> bytes | None:
        """See `Channel.get`."""

    def forget(self, folder: str) -> None:
        """See `Channel.forget`."""

    def close(self) -> None:
        """See `Channel.close`."""


def begin_channel(kind: str, store: Store, job: str) -> tuple[str, Director]:
    """Make the channel of a new job.

    Args:
        kind: `SOCKETS`, `STORE`, or the URL of a Redis or Valkey server: a user's own, or that of
            a stack.
        store: the job's.
        job: its name, which no other job has.

    Returns:
        The URL with which `open_channel` opens it for a worker, and the channel.

    Raises:
        ChannelClosed: the server does not answer.
        ChannelRefused: there is no such kind, or the server refuses.
    """
    if kind == SOCKETS:
        hub = MessageHub()
        return _HUB + hub.path, hub
    if only_workers_reach(kind):
        return kind, _in_store(store, job)
    return kind, _open(kind, store, job, begins=True)


def open_channel(url: str, store: Store, job: str, gang: str) -> Channel:
    """Open the channel of a job for a member of a gang.

    Args:
        url: from `begin_channel`.
        store: the job's.
        job: its name.
        gang: the gang's.

    Raises:
        ChannelClosed: what carries the messages is gone.
        ChannelRefused: there is no such kind, or the server refuses.
    """
    if not only_workers_reach(url):
        return _open(url, store, job, begins=False)
    told = _in_store(store, job)
    begun = f"{gang}/{_BEGUN}"
    begins = told.get(begun) is None
    # The mark in the server before that in the store: whoever sees the latter looks for the former.
    server = _signed_in(url, job, gang, begins=begins)
    if begins:
        told.put(begun, b"")
    return DividedChannel(server, told)


def only_workers_reach(url: str) -> bool:
    """Whether who directs a job does not reach the server that carries its messages."""
    return url.startswith(_ELASTICACHE)


def forget_messages(url: str, job: str, gang: str) -> None:
    """Remove a gang's messages from a server that only workers reach; runs on a worker.

    Raises:
        ChannelClosed: the server is gone.
        ChannelRefused: the server refuses.
    """
    # The mark goes with the rest, and nobody fails for the lack of it if the rest is gone already.
    with contextlib.closing(_signed_in(url, job, gang, begins=True)) as server:
        server.forget(gang)


def _in_store(store: Store, job: str) -> StoreChannel:
    return StoreChannel(store, f"{job}/messages")


def _signed_in(url: str, job: str, gang: str, *, begins: bool) -> Channel:
    try:
        from mu.messages.elasticache import server_of
        from mu.messages.in_redis import RedisChannel
    except ImportError as error:
        raise ChannelRefused(f"the worker lacks {error.name}: deploy the stack again") from error
    server, sign_in = server_of(url)
    return RedisChannel(server, job, begins=begins, gang=gang, sign_in=sign_in)


def _open(url: str, store: Store, job: str, *, begins: bool) -> Channel:
    scheme, _, rest = url.partition(":")
    if url == STORE:
        return _in_store(store, job)
    if url == VALKEY:
        raise ChannelRefused(
            'only a stack has a server of its own: use channel="sockets", "store", or the URL of a '
            "server"
        )
    if url.startswith(_HUB):
        return SocketChannel(rest)
    if scheme not in _SERVERS or not rest.startswith("//"):
        # Without the rest, which may hold a password.
        raise ChannelRefused(f"no channel for {scheme!r}")
    try:
        from mu.messages.in_redis import RedisChannel  # few need it, and it takes long to import
    except ImportError as error:
        raise ChannelRefused("this channel needs redis-py: install excamera[redis]") from error
    return RedisChannel(f"{_SERVERS[scheme]}:{rest}", job, begins=begins)
