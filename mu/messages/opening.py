"""Opening a channel by its URL: the only module that knows every kind of channel."""

from __future__ import annotations

from typing import Protocol

from mu.errors import ChannelRefused
from mu.messages.channel import Channel
from mu.messages.in_store import StoreChannel
from mu.messages.on_machine import MessageHub, SocketChannel
from mu.store.protocol import Store

SOCKETS = "sockets"
STORE = "store"

_HUB = "hub:"
_SERVERS = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
"""Schemes, and what redis-py calls them."""


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
        kind: `SOCKETS`, `STORE`, or the URL of a Redis or Valkey server.
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
    return kind, _open(kind, store, job, begins=True)


def open_channel(url: str, store: Store, job: str) -> Channel:
    """Open the channel of a job.

    Args:
        url: from `begin_channel`.
        store: the job's.
        job: its name.

    Raises:
        ChannelClosed: what carries the messages is gone.
        ChannelRefused: there is no such kind, or the server refuses.
    """
    return _open(url, store, job, begins=False)


def _open(url: str, store: Store, job: str, *, begins: bool) -> Channel:
    scheme, _, rest = url.partition(":")
    if url == STORE:
        return StoreChannel(store, f"{job}/messages")
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
