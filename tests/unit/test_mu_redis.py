"""The channel in a Redis server: rights, limits, and what it asks of the server."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from mu import MemoryStore
from mu.errors import ChannelClosed, ChannelRefused
from mu.messages.in_redis import RedisChannel
from mu.messages.opening import begin_channel, open_channel
from mu.messages.rights import RIGHTS
from tests.support.processes import wait_until
from tests.support.redis import RedisServer, a_redis

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def admin(server: RedisServer) -> Iterator[Any]:
    """A client that may do anything."""
    with redis.Redis.from_url(server.admin) as client:
        yield client


@pytest.fixture
def channel(server: RedisServer, request: pytest.FixtureRequest) -> Iterator[RedisChannel]:
    """The first channel of a job named after the test."""
    made = RedisChannel(server.url, f"mu/{request.node.name}", begins=True)
    yield made
    made.forget("g")
    made.close()


def test_the_documented_rights_are_those_that_were_tested() -> None:
    """If this fails, a user of docs/mu.md has too few rights or too many."""
    assert f"user mu-worker on >... {RIGHTS}" in " ".join((DOCS / "mu.md").read_text().split())


@pytest.mark.parametrize("right", [one[1:] for one in RIGHTS.split() if one[0] == "+"])
def test_every_right_is_needed(server: RedisServer, admin: Any, right: str) -> None:
    """If this fails, workers have rights that they do not use."""
    rights = " ".join(f"-{right}" if one == f"+{right}" else one for one in RIGHTS.split())
    admin.execute_command("ACL", "SETUSER", "less", "on", ">pw", *rights.split())
    url = f"redis://less:pw@127.0.0.1:{server.port}/0"

    def all_of_it() -> None:
        first = RedisChannel(url, f"mu/without-{right}", begins=True)
        try:
            other = RedisChannel(url, f"mu/without-{right}")
            other.put("g/a", b"1")
            other.put("g/a", b"1")
            other.note("g/b", b"1")
            assert other.wait("g/a", 1) == b"1"
            other.forget("g")
            other.close()
        finally:
            first.close()
            admin.delete(*admin.keys(f"{{mu/without-{right}*"), "none")
        first._ask(lambda: first._client.unlink(first._mark))

    with pytest.raises(ChannelRefused, match=f"127.0.0.1:{server.port} refuses"):
        all_of_it()


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server: RedisServer) -> None:
    """If this fails, a channel over TLS can be read by whoever answers in the server's place."""
    with pytest.raises(ChannelClosed, match="CERTIFICATE_VERIFY_FAILED"):
        RedisChannel(tls_server.url.partition("?")[0], "mu/1", begins=True)


def test_a_missing_library_is_named(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a user is not told what to install."""
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "mu.messages.in_redis", raising=False)
    with pytest.raises(ChannelRefused, match=r"install excamera\[redis\]"):
        open_channel(server.url, MemoryStore(), "mu/1", "g")


def test_the_other_name_of_the_scheme_is_known(server: RedisServer) -> None:
    """If this fails, URLs as Valkey's documents write them are not taken."""
    url, first = begin_channel(server.url.replace("redis:", "valkey:"), MemoryStore(), "mu/v")
    channel = open_channel(url, MemoryStore(), "mu/v", "g")
    channel.put("g/a", b"1")
    channel.forget("g")
    channel.close()
    first.close()


def test_keys_belong_to_the_job_and_expire(channel: RedisChannel, admin: Any) -> None:
    """If this fails, a job that was killed leaves messages in the server for ever."""
    channel.put("g/a", b"1")
    channel.note("g/b", b"2")
    job = f"{{{channel._job}"
    keys = admin.keys(f"{job}*")
    assert len(keys) == 4
    assert all(6 * 24 * 3600 < admin.ttl(key) <= 7 * 24 * 3600 for key in keys)
    channel.forget("other")
    assert len(admin.keys(f"{job}*")) == 4
    channel.forget("g")
    assert [key.decode() for key in admin.keys(f"{job}*")] == [job + "}"]


def test_a_job_may_say_how_long_keys_are_kept(server: RedisServer, admin: Any) -> None:
    """If this fails, a job that takes longer than a week loses its first messages."""
    channel = RedisChannel(f"{server.url}?kept_s=1000.5", "mu/short", begins=True)
    channel.put("g/a", b"1")
    keys = set(admin.keys("{mu/short*"))
    assert channel._mark.encode() in keys
    assert all(900_000 < admin.pttl(key) <= 1_000_500 for key in keys)
    for key in keys:  # as if most of that time had passed
        assert admin.pexpire(key, 60_000)
    channel.put("g/b", b"1")  # which shows that the job goes on
    assert admin.pttl(channel._mark) > 900_000
    (first,) = (key for key in keys if key.endswith(b"/a"))
    assert 0 < admin.pttl(first) <= 60_000
    admin.pexpire(first, 1)
    wait_until(lambda: channel.get("g/a") is None)
    RedisChannel(server.url, "mu/short").close()
    admin.pexpire(channel._mark, 1)
    wait_until(lambda: not admin.exists(channel._mark))
    with pytest.raises(ChannelClosed, match="knows nothing of this job"):
        RedisChannel(server.url, "mu/short")
    channel.forget("g")
    channel.close()


def test_all_who_wait_are_woken_by_one_message(server: RedisServer, channel: RedisChannel) -> None:
    """If this fails, the second copy of a member misses what the first has received."""
    others = [RedisChannel(server.url, channel._job) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(other.wait, "g/a", 30) for other in others]
        time.sleep(0.2)
        channel.put("g/a", b"1")
        assert [one.result(timeout=60) for one in waiting] == [b"1"] * 6
    assert channel.wait("g/a", 30) == b"1"
    for other in others:
        other.close()


def test_waiting_asks_the_server_every_two_seconds(channel: RedisChannel, admin: Any) -> None:
    """If this fails, a thousand workers that wait keep the server busy."""
    channel.get("g/a")
    admin.config_resetstat()
    begun = time.monotonic()
    # Two seconds, and most of another two: a busy machine ends the first of them late.
    assert channel.wait("g/a", 3.8) is None
    assert time.monotonic() - begun > 3.7
    asked = {name: one["calls"] for name, one in admin.info("commandstats").items()}
    assert asked["cmdstat_xread"] == 2
    assert asked["cmdstat_xrevrange"] == 1


def test_lost_connections_are_opened_again(channel: RedisChannel, admin: Any) -> None:
    """If this fails, a short fault of the network ends a gang."""
    channel.put("g/a", b"1")
    admin.client_kill_filter(_type="normal", skipme=True)
    assert channel.get("g/a") == b"1"

    def cut() -> None:
        for _ in range(3):
            time.sleep(0.1)
            admin.client_kill_filter(_type="normal", skipme=True)
        channel.put("g/b", b"2")

    cutting = threading.Thread(target=cut)
    cutting.start()
    assert channel.wait("g/b", 30) == b"2"
    cutting.join()


def test_a_server_that_hangs_is_given_up(tmp_path: Path) -> None:
    """If this fails, a server that takes connections and answers nothing hangs its workers."""
    with a_redis(tmp_path) as server:
        channel = RedisChannel(f"{server.url}?patience_s=1&socket_timeout=1", "mu/1", begins=True)
        server.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(ChannelClosed, match=f"127.0.0.1:{server.port} does not answer"):
            channel.get("g/a")
        assert time.monotonic() - begun < 15
        with pytest.raises(ChannelClosed):
            channel.put("g/a", b"1")
        assert time.monotonic() - begun < 20
        server.stop()
        channel.close()


def test_a_server_that_is_full_refuses(tmp_path: Path) -> None:
    """If this fails, a full server looks like a lost message."""
    with a_redis(tmp_path) as server, redis.Redis.from_url(server.admin) as admin:
        channel = RedisChannel(server.url, "mu/1", begins=True)
        admin.config_set("maxmemory", 1)
        with pytest.raises(ChannelRefused, match="maxmemory"):
            channel.put("g/a", b"1")
        admin.config_set("maxmemory", 0)
        channel.put("g/a", b"1")
        channel.close()


def test_a_cluster_takes_the_keys(tmp_path: Path) -> None:
    """If this fails, the channel does not work on servers that spread keys over slots."""
    with a_redis(tmp_path, options=("--cluster-enabled", "yes")) as server:
        with redis.Redis.from_url(server.admin) as admin:
            admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while b"cluster_state:ok" not in admin.execute_command("CLUSTER", "INFO"):
                time.sleep(0.05)
        channel = RedisChannel(server.url, "mu/1", begins=True)
        channel.put("g/a", b"1")
        channel.put("g/b", b"1")
        assert channel.wait("g/a", 1) == b"1"
        channel.forget("g")
        assert channel.get("g/b") is None
        channel.close()
