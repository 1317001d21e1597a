"""Public keys with which CloudFront checks signed URLs, told apart without a cryptographic library.

CloudFront takes RSA keys of 2,048 bits and ECDSA keys on the curve P-256 ("Specify signers that can
create signed URLs and signed cookies" in its Developer Guide).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path

_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
_RSA_2048 = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
_P_256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_SIZES = {_RSA_2048: 294, _P_256: 91}
"""How a SubjectPublicKeyInfo in DER begins and how many bytes it has, RSA with exponent 65537."""


def read(value: str) -> str:
    """A public key in PEM, from its text or the file that has it.

    Args:
        value: the text, or a path.

    Raises:
        ValueError: there is no such file, or no key in it that CloudFront takes.
    """
    if value.lstrip().startswith("-----BEGIN"):
        text, where = value, "the text"
    else:
        where = value
        try:
            text = Path(value).read_text()
        except (OSError, ValueError) as error:
            raise ValueError(f"{value} cannot be read: {error}") from error
    if "PRIVATE KEY" in text:
        raise ValueError("a private key belongs into the stack's secret, not into a setting: "
                         "`openssl pkey -pubout` makes the public one")  # fmt: skip
    found = _PEM.fullmatch(text)
    if found is None or not _is_taken(found[1]):
        raise ValueError(f"{where} is no public key in PEM that CloudFront takes: RSA with 2,048 "
                         "bits or ECDSA with P-256")  # fmt: skip
    return "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n".format(
        "\n".join(re.findall(".{1,64}", "".join(found[1].split())))
    )


def digest(pem: str) -> str:
    """The SHA-256 of a key's DER as hexadecimal digits.

    Args:
        pem: as `read` returns it.
    """
    return hashlib.sha256(base64.b64decode("".join(pem.splitlines()[1:-1]))).hexdigest()


def _is_taken(encoded: str) -> bool:
    try:
        der = base64.b64decode("".join(encoded.split()), validate=True)
    except binascii.Error:
        return False
    return any(der.startswith(head) and len(der) == size for head, size in _SIZES.items())
