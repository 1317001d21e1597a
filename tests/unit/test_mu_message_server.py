"""The server that a stack deploys for messages, as workers and who directs them use it."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
import redis

from mu import Executor, MemoryStore
from mu.engines.stack.deployment import Deployment
from mu.errors import ChannelClosed, ChannelRefused, Deadlock, ReceiveTimeout
from mu.messages import comm
from mu.messages.channel import ending
from mu.messages.comm import DONE, Comm, published_wait
from mu.messages.elasticache import server_of
from mu.messages.in_redis import RedisChannel
from mu.messages.opening import begin_channel, forget_messages, open_channel
from tests.support.clocks import Clock
from tests.support.redis import SIGNED_IN, RedisServer
from tests.unit.conftest import AWS

URL = "elasticache://mu-user@mu-abc.serverless.eun1.cache.amazonaws.com:6379/mu-cache"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call finds in its environment."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def admin(tls_server: RedisServer) -> Iterator[Any]:
    """A client that may do anything; the server is empty when it is gone."""
    with redis.Redis.from_url(tls_server.admin) as client:
        yield client
        client.flushall()


# ---- signing in ----


def test_the_token_is_a_request_that_aws_can_verify() -> None:
    """If this fails, ElastiCache lets no worker in."""
    server, sign_in = server_of(URL)
    assert server.partition("?")[0] == (
        "rediss://mu-abc.serverless.eun1.cache.amazonaws.com:6379/0"
    )
    user, token = sign_in()
    assert user == "mu-user"
    assert token.startswith("mu-cache/?")
    query = dict(parse_qsl(token.partition("?")[2], keep_blank_values=True))
    signature = query.pop("X-Amz-Signature")
    day = query["X-Amz-Date"][:8]
    scope = f"{day}/eu-north-1/elasticache/aws4_request"
    assert query == {
        "Action": "connect",
        "User": "mu-user",
        "ResourceType": "ServerlessCache",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{AWS['AWS_ACCESS_KEY_ID']}/{scope}",
        "X-Amz-Date": query["X-Amz-Date"],
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Security-Token": AWS["AWS_SESSION_TOKEN"],
    }
    # From here on by hand, as AWS documents version 4 of its signatures.
    written = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(query.items())
    )
    nothing = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{written}\nhost:mu-cache\n\nhost\n{nothing}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    signed = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"
    key = f"AWS4{AWS['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert signature == hmac.digest(key, signed.encode(), "sha256").hex()


def test_every_connection_signs_in_anew(tls_server: RedisServer, admin: Any) -> None:
    """If this fails, a worker whose connection breaks after 15 minutes never gets another."""
    place, count = tls_server.signed_in.partition("@")[2], Counter[str]()
    host, _, query = place.partition("?")

    def sign_in() -> tuple[str, str]:
        count["tokens"] += 1
        return SIGNED_IN, f"token {count['tokens']}"

    url = f"rediss://{host.partition('/')[0]}/0?{query}"
    with closing(RedisChannel(url, "mu/a", begins=True, gang="g", sign_in=sign_in)) as channel:
        channel.put("g/a", b"1")
        assert count["tokens"] == 1
        admin.client_kill_filter(_type="normal", skipme=True)
        assert channel.get("g/a") == b"1"
        assert count["tokens"] == 2


def test_who_has_no_credentials_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a worker without credentials fails in a way that nobody understands."""
    for name in AWS:
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    with pytest.raises(ChannelRefused, match="only workers of its stack can sign in"):
        open_channel(URL, MemoryStore(), "mu/1", "g")


# ---- who has such a channel ----


def test_a_stack_without_a_server_says_what_to_do() -> None:
    """If this fails, the choice of a channel that is not there fails somewhere in the middle."""
    stack = Deployment("Films", "b", "m", {}, "arm64", "3.14", 900, {}, {})
    with pytest.raises(ChannelRefused, match=r"Films has no server .* -c mu_server=valkey"):
        stack.channel("valkey")
    with pytest.raises(ChannelRefused, match="no sockets in common"):
        stack.channel("sockets")
    assert stack.channel("store") == "store"
    served = Deployment("Films", "b", "m", {}, "arm64", "3.14", 900, {}, {}, server=URL)
    assert served.channel("valkey") == URL


def test_a_machine_has_none() -> None:
    """If this fails, an executor of this machine looks for a server that nobody has named."""
    with pytest.raises(ChannelRefused, match="only a stack has a server of its own"):
        Executor(workers=1, channel="valkey")


def test_who_directs_needs_no_server() -> None:
    """If this fails, gangs on a stack fail since the client does not reach the network."""
    store = MemoryStore()
    url, director = begin_channel(URL, store, "mu/1")
    assert url == URL
    director.put(ending("g", 1), DONE)
    assert director.get(ending("g", 1)) == DONE
    director.forget("g")
    director.close()
    assert not store.list()


# ---- what goes where ----


class Counting(MemoryStore):
    """A store that counts what S3 would bill."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()

    def get(self, key: str) -> bytes:
        """A GET."""
        self.made["reads"] += 1
        return super().get(key)

    def put(self, key: str, data: Any) -> None:
        """A PUT."""
        self.made["writes"] += 1
        super().put(key, data)

    def put_new(self, key: str, data: Any) -> bool:
        """A PUT."""
        self.made["writes"] += 1
        return super().put_new(key, data)


def test_messages_stay_out_of_the_store(tls_server: RedisServer, admin: Any) -> None:
    """If this fails, the server is paid for, and messages cost requests to S3 all the same."""
    store = Counting()
    with (
        closing(open_channel(tls_server.signed_in, store, "mu/s", "g")) as channel,
        closing(open_channel(tls_server.signed_in, store, "mu/s", "g")) as other,
    ):
        store.made.clear()
        sender, receiver = (
            Comm(one, store, "g", rank, 2) for rank, one in enumerate((channel, other))
        )
        for number in range(20):
            sender.send(number, dest=1)
            assert receiver.recv(source=0, timeout=10) == number
    assert not store.made


def test_a_wait_asks_the_store_seldom(
    tls_server: RedisServer, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, members that wait for each other pay for many requests to S3."""
    store, clock = Counting(), Clock()

    def wait(channel: RedisChannel, key: str, timeout_s: float) -> bytes | None:
        clock.sleep(timeout_s)
        return channel.get(key)

    monkeypatch.setattr(comm, "time", clock)
    monkeypatch.setattr(RedisChannel, "wait", wait)
    with closing(open_channel(tls_server.signed_in, store, "mu/w", "g")) as channel:
        store.made.clear()
        with pytest.raises(ReceiveTimeout):
            Comm(channel, store, "g", 0, 2).recv(source=1, timeout=4.75)
    # It looks after 0.25, 0.75, 1.75 and 3.75 s, and at the end; it says for whom it waits, and
    # that it no longer does.
    assert store.made == {"reads": 5, "writes": 2}


def test_who_directs_sees_for_whom_a_member_waits(tls_server: RedisServer, admin: Any) -> None:
    """If this fails, `tasks` does not say who waits for whom, and no member of a gang is hedged."""
    store = MemoryStore()
    url, director = begin_channel(tls_server.signed_in, store, "mu/p")
    with (
        closing(open_channel(url, store, "mu/p", "g")) as channel,
        pytest.raises(Deadlock),
    ):
        Comm(channel, store, "g", 0, 1).recv(source=0, timeout=10)
    assert published_wait(director, "g", 0) is None
    with closing(open_channel(url, store, "mu/p", "g")) as channel:
        channel.note("g/waits-0", b'[1, "g/1-0-0-0"]')
    assert published_wait(director, "g", 0) == (1, "g/1-0-0-0")


# ---- what is lost, and what is left ----


def test_a_server_that_has_lost_the_gang_is_noticed(tls_server: RedisServer, admin: Any) -> None:
    """If this fails, a gang waits for ever for messages that are lost."""
    store = MemoryStore()
    with closing(open_channel(tls_server.signed_in, store, "mu/l", "g")) as channel:
        channel.put("g/a", b"1")
        admin.flushall()
        with pytest.raises(ChannelClosed, match="knows nothing of this job"):
            open_channel(tls_server.signed_in, store, "mu/l", "g")
        admin.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(ChannelClosed, match="knows nothing of this job"):
            channel.get("g/a")
    # Another gang of the job begins anew.
    open_channel(tls_server.signed_in, store, "mu/l", "h").close()


def test_a_worker_removes_all_of_a_gang_and_the_rest_expires(
    tls_server: RedisServer, admin: Any
) -> None:
    """If this fails, messages of gangs fill the server, which is billed by what it holds."""
    store = MemoryStore()
    for gang in ("g", "h"):
        with closing(open_channel(tls_server.signed_in, store, "mu/f", gang)) as channel:
            channel.put(f"{gang}/a", b"1")
            channel.note(f"{gang}/waits-0", b"1")
    keys = admin.keys()
    assert len(keys) == 2 * 4  # the messages, their set, and the mark
    assert all(0 < admin.ttl(key) <= 24 * 3600 for key in keys)
    for _ in range(2):  # a call may be tried again
        forget_messages(tls_server.signed_in, "mu/f", "g")
        left = admin.keys()
        assert [key.decode()[:8] for key in left] == ["{mu/f/h}"] * 4


def test_a_gang_ends_with_the_server(tls_server: RedisServer, admin: Any) -> None:
    """If this fails, members of a gang are tried again although their messages are lost."""
    with Executor(workers=2, retries=3, channel=tls_server.signed_in) as executor:

        def lose(member: Comm, url: str) -> Any:
            if member.rank:
                with redis.Redis.from_url(url) as client:
                    client.flushall()
                    client.client_kill_filter(_type="normal", skipme=True)
            return member.recv(source=1 - member.rank, timeout=30)

        with pytest.raises(ChannelClosed, match="knows nothing of this job"):
            executor.gang(lose, [tls_server.admin] * 2)
