"""URLs that prove themselves, as S3's presigned ones do: for parts of uploads and for results.

A page's scripts send the console's token in a header. A player or a download cannot, so the
addresses that the API hands out carry a signature and a time until which they are valid.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from excamera.lifecycle.urls import URL_S

_UNTIL, _SIGNATURE = "until", "signature"


class SignedPaths:
    """Signs and checks the paths of one console.

    Args:
        secret: whoever knows it can sign.
        clock: tells Unix seconds.

    Attributes:
        address: of the console, with which all that is signed begins.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self.address = ""
        self._secret = secret.encode()
        self._clock = clock

    def sign(self, method: str, path: str) -> str:
        """The address of a path, with its proof.

        Args:
            method: of the requests that it is for.
            path: that begins with "/", unquoted.
        """
        until = str(int(self._clock()) + URL_S)
        proof = {_UNTIL: until, _SIGNATURE: self._signature(method, path, until)}
        return f"{self.address}{quote(path)}?{urlencode(proof)}"

    def expires(self) -> str:
        """Until when what is signed now is valid, ISO 8601."""
        return datetime.fromtimestamp(int(self._clock()) + URL_S, UTC).isoformat()

    def proves(self, method: str, path: str, query: Mapping[str, str]) -> bool:
        """Whether a request has the proof of its path."""
        until = query.get(_UNTIL, "")
        if not until.isascii() or not until.isdigit() or int(until) < self._clock():
            return False
        given = query.get(_SIGNATURE, "").encode()
        return hmac.compare_digest(given, self._signature(method, path, until).encode())

    def _signature(self, method: str, path: str, until: str) -> str:
        said = "\n".join(("GET" if method == "HEAD" else method, path, until))
        return hmac.new(self._secret, said.encode(), hashlib.sha256).hexdigest()
