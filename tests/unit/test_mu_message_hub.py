"""The hub through which gangs of one machine talk, when it goes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mu.errors import ChannelClosed
from mu.messages.on_machine import MessageHub, SocketChannel


def test_a_channel_whose_hub_is_gone_says_so() -> None:
    """If this fails, workers hang after the process that directs them has ended."""
    hub = MessageHub()
    channel, waiting = SocketChannel(hub.path), SocketChannel(hub.path)
    channel.put("a", b"1")
    threading.Timer(0.1, hub.close).start()
    with pytest.raises(ChannelClosed):
        waiting.wait("b", 60)
    with pytest.raises(ChannelClosed):
        channel.get("a")
    with pytest.raises(ChannelClosed):
        SocketChannel(hub.path)
    channel.close()
    waiting.close()


def test_who_connects_while_a_hub_closes_is_told() -> None:
    """If this fails, a worker that starts as an executor ends waits for ever."""

    def wait(path: str) -> bytes | None:
        try:
            channel = SocketChannel(path)
        except ChannelClosed:
            return None
        try:
            return channel.wait("a", 10) or b"served by a closed hub"
        except ChannelClosed:
            return None
        finally:
            channel.close()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(50):
            hub = MessageHub()
            waiting = [pool.submit(wait, hub.path) for _ in range(4)]
            hub.close()
            assert [one.result() for one in waiting] == [None] * 4
