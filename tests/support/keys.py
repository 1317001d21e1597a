"""Keys that sign URLs."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def public_pem(private_key: Any) -> str:
    """Returns the public key of a private one as `openssl pkey -pubout` writes it."""
    public = private_key.public_key()
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
