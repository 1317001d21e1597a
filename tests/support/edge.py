"""A place of CloudFront's on loopback, which checks signed URLs before it asks a distribution.

It follows "Create a signed URL using a canned policy" of CloudFront's Developer Guide: the keys are
those of the key groups that the distribution trusts, the policy is made again from the URL, and
what does not fit is answered with 403.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_OWN = ("Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm")
_PASSED = ("content-range", "content-type", "x-content-type-options", "cache-control", "etag")
_HASHES: dict[str, HashAlgorithm] = {"SHA1": SHA1(), "SHA256": SHA256()}


class Refused(Exception):
    """The URL is not one that CloudFront takes."""


class Edge:
    """Serves one distribution.

    Attributes:
        url: its address.
        statuses: of its answers so far.
        ahead_s: by how many seconds its clock is ahead for the next requests.
        cut_after: numbers of bytes after which the next answers break off.
    """

    def __init__(self, client: Any, distribution: str, account: Mapping[str, str]) -> None:
        found = client.get_distribution(Id=distribution)["Distribution"]
        behavior = found["DistributionConfig"]["DefaultCacheBehavior"]
        self._host = found["DomainName"]
        self._keys = _trusted_keys(client, behavior)
        self._account = urlsplit(account["AWS_ENDPOINT_URL"])
        self._authority = account.get("AWS_CA_BUNDLE")
        self.url = ""
        self.statuses: list[int] = []
        self.ahead_s: list[int] = []
        self.cut_after: list[int] = []

    def check(self, target: str) -> str:
        """Checks a request's path and query; returns what the origin is asked for.

        Raises:
            Refused: it is not signed as it must be.
        """
        path, _, query = target.partition("?")
        given = dict(one.partition("=")[::2] for one in query.split("&"))
        others = "&".join(one for one in query.split("&") if one.partition("=")[0] not in _OWN)
        asked = path + (f"?{others}" if others else "")
        try:
            expires, key = int(given["Expires"]), self._keys[given["Key-Pair-Id"]]
            signature = _decoded(given["Signature"])
            algorithm = _HASHES[given.get("Hash-Algorithm", "SHA1")]
        except (KeyError, ValueError) as error:
            raise Refused(f"MissingKey or InvalidKey: {error}") from error
        policy = (
            f'{{"Statement":[{{"Resource":"{self.url}{asked}","Condition":'
            f'{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
        ).encode()
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, policy, ec.ECDSA(algorithm))
            else:
                key.verify(signature, policy, padding.PKCS1v15(), algorithm)
        except InvalidSignature as error:
            raise Refused("AccessDenied: the signature is of something else") from error
        ahead_s = self.ahead_s.pop(0) if self.ahead_s else 0
        if time.time() + ahead_s >= expires:
            raise Refused("AccessDenied: the URL has expired")
        return asked

    def ask(
        self, asked: str, headers: Mapping[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Asks the distribution; returns status, headers and body of its answer."""
        at = f"{self._account.hostname}:{self._account.port}"
        connection: http.client.HTTPConnection = http.client.HTTPConnection(at, timeout=60)
        if self._account.scheme == "https":
            context = ssl.create_default_context(cafile=self._authority)
            connection = http.client.HTTPSConnection(at, timeout=60, context=context)
        with contextlib.closing(connection):
            connection.request("GET", asked, headers={**headers, "Host": self._host})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()


def _trusted_keys(client: Any, behavior: Any) -> dict[str, Any]:
    """The public keys by which a behaviour's URLs may be signed, by their ids."""
    trusted = behavior["TrustedKeyGroups"]
    assert trusted["Enabled"], json.dumps(trusted)
    ids = [
        one
        for group in trusted["Items"]
        for one in client.get_key_group(Id=group)["KeyGroup"]["KeyGroupConfig"]["Items"]
    ]
    keys = {}
    for one in ids:
        config = client.get_public_key(Id=one)["PublicKey"]["PublicKeyConfig"]
        keys[one] = load_pem_public_key(config["EncodedKey"].encode())
        assert isinstance(keys[one], ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    return keys


def _decoded(text: str) -> bytes:
    return base64.b64decode(
        text.replace("-", "+").replace("_", "=").replace("~", "/"), validate=True
    )


@contextmanager
def an_edge(client: Any, distribution: str, account: Mapping[str, str]) -> Iterator[Edge]:
    """Serves a distribution for as long as the context lasts.

    Args:
        client: of CloudFront.
        distribution: its id.
        account: the variables through which the emulated account is found.
    """
    edge = Edge(client, distribution, account)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                asked = edge.check(self.path)
            except Refused as refused:
                self._send(403, {}, f"<Error>{refused}</Error>".encode())
                return
            ranges = {"Range": self.headers["Range"]} if "Range" in self.headers else {}
            status, headers, body = edge.ask(asked, ranges)
            self._send(status, {name: value for name, value in headers if name.lower() in _PASSED},
                       body)  # fmt: skip

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            edge.statuses.append(status)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = edge.cut_after.pop(0) if edge.cut_after and status < 300 else None
            self.wfile.write(body[:cut])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    edge.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield edge
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
