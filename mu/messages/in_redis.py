"""Messages in a Redis or Valkey server, which wakes up those that wait.

Every message is a stream of one entry. Its id is fixed, and the server takes an id only once: that
makes it write-once. `XREAD` looks and begins to wait in one step, so no wake-up is lost; it wakes
up all who wait and removes nothing.

Keys are ``{job/folder}/name``. The braces let a cluster keep a folder in one place, which a
transaction over its keys needs.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mu.errors import ChannelClosed, ChannelRefused, NondeterministicTask

_KEPT_S = 7 * 24 * 3600.0
_PATIENCE_S = 15.0

_ANSWER_S = 5.0
"""The longest that a request may take; above `_LONGEST_BLOCK_S`."""

_LONGEST_BLOCK_S = 2.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0

_ONLY_ID = "1-1"
_FIELD = "d"
_MARK = "begun"
_REMOVED_AT_ONCE = 1000

_PASSING = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,  # during a failover
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
    OSError,
)
_REFUSED = (redis.AuthenticationError, redis.exceptions.AuthorizationError)

Result = TypeVar("Result")


class RedisChannel:
    """A channel of a job in a Redis or Valkey server; any thread may use it.

    A job's first channel leaves a mark. All others look for it whenever they connect, so a server
    that has been restarted without its data is not taken for one to which nothing was sent.
    """

    def __init__(
        self,
        url: str,
        job: str,
        *,
        begins: bool = False,
        gang: str = "",
        sign_in: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        """Connects to a server.

        Args:
            url: ``redis://user:password@host:port/0``, or with ``rediss`` for TLS. Its query may
                hold `patience_s`, after which a server that does not answer is gone; `kept_s`,
                after which keys expire, so that a job that was killed leaves nothing for ever; and
                any setting of redis-py's connections, such as ``ssl_ca_certs``.
            job: begins all keys; no other job has it.
            begins: whether this is the job's first channel.
            gang: whose mark is looked for instead of the job's. Any of its members may leave it,
                and it goes with the gang's messages.
            sign_in: makes the user and the password of each new connection.

        Raises:
            ChannelClosed: the server does not answer, or knows nothing of the job.
            ChannelRefused: the URL is wrong, or the server refuses the user.
        """
        self._job = job
        folder, self._mark = self._places(f"{gang}/{_MARK}") if gang else ("", f"{{{job}}}")
        self._looks = not begins
        self._owns_mark = begins and not gang
        self._given_up = False
        try:
            parts = urlsplit(url)
            int(parts.path.strip("/") or 0)  # redis-py takes any other database for the first
            settings = dict(parse_qsl(parts.query))
            self._patience_s = float(settings.pop("patience_s", _PATIENCE_S))
            self._kept_ms = round(1000 * float(settings.pop("kept_s", _KEPT_S)))
            self._server = f"{parts.hostname}:{parts.port or 6379}"
            self._client: Any = redis.Redis.from_url(
                urlunsplit(parts._replace(query=urlencode(settings))),
                # So that connecting asks for no rights besides those of the messages.
                protocol=2,
                driver_info=None,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=_ANSWER_S,
                socket_connect_timeout=_ANSWER_S,
                redis_connect_func=self._connected,
                credential_provider=None if sign_in is None else _Signing(sign_in),
            )
            self._client.connection_pool.make_connection()  # only checks the settings
        except (ValueError, TypeError):
            # What went wrong may quote the password.
            raise ChannelRefused(
                "the URL of the channel is not a Redis server's, or has unknown settings"
            ) from None
        if begins:
            # A user's own URL once: if it is wrong, this should be told at once.
            patience_s = 0.0 if self._owns_mark else None
            self._ask(lambda: self._write(self._mark, _ONLY_ID, b"", folder), patience_s)
            self._looks = True
        else:
            self._ask(lambda: self._client.exists(self._mark))

    def __repr__(self) -> str:
        return f"RedisChannel({self._server!r})"

    def put(self, key: str, data: bytes) -> None:
        """See `Channel.put`."""
        folder, place = self._places(key)
        if self._owns_mark:
            self._ask(lambda: self._client.pexpire(self._mark, self._kept_ms))
        if not self._ask(lambda: self._write(place, _ONLY_ID, data, folder)):
            found = self.get(key)
            if found is None:
                raise ChannelClosed(f"{self._server} has lost a message of this job")
            if found != data:
                raise NondeterministicTask(key)

    def get(self, key: str) -> bytes | None:
        """See `Channel.get`."""
        _, place = self._places(key)
        return _data(self._ask(lambda: self._client.xrevrange(place, count=1)))

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Channel.get_all`; all questions travel together."""
        places = [self._places(key)[1] for key in keys]

        def ask() -> Any:
            with self._client.pipeline(transaction=False) as together:
                for place in places:
                    together.xrevrange(place, count=1)
                return together.execute()

        return [_data(entries) for entries in self._ask(ask)]

    def wait(self, key: str, timeout_s: float) -> bytes | None:
        """See `Channel.wait`."""
        _, place = self._places(key)
        until = time.monotonic() + timeout_s
        while (left_s := until - time.monotonic()) > 0:
            block_ms = max(1, round(1000 * min(left_s, _LONGEST_BLOCK_S)))
            found = self._ask(functools.partial(self._client.xread, {place: "0"}, 1, block_ms))
            if found:
                return _data(found[0][1])
        return self.get(key)

    def note(self, key: str, data: bytes) -> None:
        """See `Channel.note`."""
        folder, place = self._places(key)
        self._ask(lambda: self._write(place, "*", data, folder))

    def forget(self, folder: str) -> None:
        """See `Channel.forget`."""
        where, _ = self._places(f"{folder}/")
        while places := self._ask(lambda: self._client.spop(where, _REMOVED_AT_ONCE)):
            self._ask(functools.partial(self._client.unlink, *places))

    def close(self) -> None:
        """See `Channel.close`."""
        try:
            if self._owns_mark:
                self._ask(lambda: self._client.unlink(self._mark), 0)
        except (ChannelClosed, ChannelRefused):
            pass  # the mark expires
        finally:
            self._client.close()

    def _places(self, key: str) -> tuple[str, str]:
        """The key of the set of all keys of a folder, and the key of the message."""
        folder, _, name = key.rpartition("/")
        where = f"{{{self._job}/{folder}}}"
        return where, f"{where}/{name}"

    def _write(self, place: str, number: str, data: bytes, folder: str = "") -> bool:
        """Write an entry; returns whether it is there now, and not another."""
        # Either all of these happen or none, also if this process is killed now.
        with self._client.pipeline(transaction=True) as together:
            if folder:
                together.sadd(folder, place)
                together.pexpire(folder, self._kept_ms)
            trimmed = () if number == _ONLY_ID else ("MAXLEN", 1)
            together.execute_command("XADD", place, *trimmed, number, _FIELD, data)
            together.pexpire(place, self._kept_ms)
            *_, written, _ = together.execute(raise_on_error=False)
        if isinstance(written, redis.ResponseError):
            # Usually since there is an entry, which the caller compares.
            if not self._client.exists(place):
                raise written
            return False
        return True

    def _connected(self, connection: Any) -> None:
        """Is called with every new connection."""
        connection.on_connect()
        if self._looks:
            connection.send_command("EXISTS", self._mark)
            if not connection.read_response():
                connection.disconnect()
                raise ChannelClosed(
                    f"{self._server} knows nothing of this job: the job has ended, or the server "
                    "was restarted without its data"
                )

    def _ask(self, request: Callable[[], Result], patience_s: float | None = None) -> Result:
        """What the server answers; requests may be repeated, since messages are written once."""
        if patience_s is None:
            # Who has waited for it in vain does not wait for it again, for the next request.
            patience_s = 0.0 if self._given_up else self._patience_s
        begun = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                found = request()
                self._given_up = False
                return found
            except _REFUSED as error:
                raise ChannelRefused(f"{self._server} refuses: {error}") from error
            except _PASSING as error:
                if time.monotonic() + pause_s - begun > patience_s:
                    self._given_up = True
                    raise ChannelClosed(f"{self._server} does not answer: {error}") from error
                # At random, so that workers that lost it together do not come back together.
                time.sleep(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
            except redis.RedisError as error:
                raise ChannelRefused(f"{self._server} refuses: {error}") from error


class _Signing(redis.CredentialProvider):
    """Gives redis-py what to sign in with, whenever it connects."""

    def __init__(self, sign_in: Callable[[], tuple[str, str]]) -> None:
        self._sign_in = sign_in

    def get_credentials(self) -> tuple[str, str]:
        """See redis-py."""
        return self._sign_in()


def _data(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> bytes | None:
    """The data of the only entry, or None."""
    return entries[0][1][_FIELD.encode()] if entries else None
