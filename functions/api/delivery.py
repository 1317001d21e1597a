"""URLs of results at CloudFront, signed as it asks for with a canned policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import boto3
from botocore.exceptions import ClientError
from botocore.signers import CloudFrontSigner

from excamera.api.refusals import Unavailable
from excamera.lifecycle.urls import VERSION

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the stack tells of its distribution.

    Attributes:
        url: address of the distribution.
        key_id: CloudFront's id of the public key whose private key signs.
        public_key: SHA-256 of that public key's DER, as hexadecimal digits.
        secret_arn: of the secret with private keys in PEM, one after another.
    """

    url: str
    key_id: str
    public_key: str
    secret_arn: str


class SignedUrls:
    """Signs URLs; the private key is read once for each environment of the function.

    Args:
        delivery: what the stack tells.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._signer: CloudFrontSigner | None = None

    def url(self, key: str, etag: str, until: datetime) -> str:
        """A URL of an object.

        Args:
            key: the object's key.
            etag: its ETag, by which caches tell it from others that had its key.
            until: when the URL becomes invalid.

        Raises:
            Unavailable: the secret has no private key that CloudFront trusts.
        """
        if self._signer is None:
            self._signer = CloudFrontSigner(self._delivery.key_id, self._sign())
        version = quote(etag.strip('"'), safe="")
        url = f"{self._delivery.url}/{quote(key)}?{VERSION}={version}"
        # CloudFront would otherwise take the signature to be of a SHA-1.
        return f"{self._signer.generate_presigned_url(url, until)}&Hash-Algorithm=SHA256"

    def _sign(self) -> Sign:
        # Only here, as it takes longer to import than to sign.
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        for found in _PEM.finditer(self._secret()):
            try:
                key: Any = load_pem_private_key(found[0].encode(), password=None)
            except (ValueError, TypeError):  # another kind of PEM, or one with a password
                continue
            if _digest(key) == self._delivery.public_key:
                return _signing(key)
        raise Unavailable(
            f"results cannot be had yet: the secret {self._delivery.secret_arn} has no private key "
            "that fits the first of cloudfront_public_keys (docs/account.md)"
        )

    def _secret(self) -> str:
        secrets = boto3.client("secretsmanager")
        try:
            found = secrets.get_secret_value(SecretId=self._delivery.secret_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return ""  # it has no value yet
            raise
        return str(found.get("SecretString", ""))


def _digest(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _signing(key: Any) -> Sign:
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, ec.EllipticCurvePrivateKey):
        return lambda message: key.sign(message, ec.ECDSA(SHA256()))
    return lambda message: bytes(key.sign(message, padding.PKCS1v15(), SHA256()))
