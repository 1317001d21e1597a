"""The server that a stack deploys: its URL, and signing in with the credentials of a process.

The URL is ``elasticache://user@host:port/cache``. ElastiCache takes a signed request as the
password: whoever has credentials with the right `elasticache:Connect` on the cache and the user
makes one for each connection, and nothing secret is stored or sent along.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from mu.errors import ChannelRefused

SCHEME = "elasticache"

_TOKEN_S = 900
"""How long ElastiCache takes a token; connections outlive it, up to 12 hours."""

_KEPT_S = 24 * 3600
"""Messages expire a day after they were written: what they fill is billed by the hour."""

SignIn = Callable[[], tuple[str, str]]
"""Makes the user and the password of a new connection."""


def server_of(url: str) -> tuple[str, SignIn]:
    """The server's URL for a `RedisChannel`, and what signs in there.

    Raises:
        ChannelRefused: the process has no credentials or no region.
    """
    parts = urlsplit(url)
    user, cache = parts.username or "", parts.path.strip("/")
    query = f"kept_s={_KEPT_S}" + (f"&{parts.query}" if parts.query else "")
    try:
        session = botocore.session.get_session()
        credentials, region = session.get_credentials(), session.get_config_variable("region")
    except BotoCoreError as error:
        raise ChannelRefused(f"no credentials for the cache {cache}: {error}") from error
    if credentials is None or not region:
        raise ChannelRefused(f"only workers of its stack can sign in to the cache {cache}")

    def sign_in() -> tuple[str, str]:
        request = AWSRequest(
            "GET",
            f"https://{cache}/",
            params={"Action": "connect", "User": user, "ResourceType": "ServerlessCache"},
        )
        frozen = credentials.get_frozen_credentials()
        SigV4QueryAuth(frozen, "elasticache", region, expires=_TOKEN_S).add_auth(request)
        return user, str(request.url).removeprefix("https://")

    return f"rediss://{parts.hostname}:{parts.port}/0?{query}", sign_in
