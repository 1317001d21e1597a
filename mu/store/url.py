"""URLs of stored objects: ``s3://bucket/key``, and ``?versionId=v`` for one version."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mu.errors import StoreError

_PREFIX = "s3://"


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """One object, or one version of it; key and version are percent-encoded in the text.

    Attributes:
        bucket: its bucket.
        key: its key.
        version: its version, "" for the latest.
    """

    bucket: str
    key: str
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> ObjectUrl:
        """The object that a URL names.

        Raises:
            StoreError: the text is not such a URL.
        """
        parts = urlsplit(text)
        key = unquote(parts.path.removeprefix("/"))
        if not is_object_url(text) or not parts.netloc or not key:
            raise StoreError(f"{text!r} is not of the form {_PREFIX}bucket/key")
        return cls(parts.netloc, key, parse_qs(parts.query).get("versionId", [""])[0])

    @property
    def name(self) -> str:
        """Bucket and key as a user writes them, without any encoding."""
        return f"{_PREFIX}{self.bucket}/{self.key}"

    def __str__(self) -> str:
        version = f"?versionId={quote(self.version)}" if self.version else ""
        return f"{_PREFIX}{self.bucket}/{quote(self.key)}{version}"


def is_object_url(text: str) -> bool:
    """Whether a text names an object rather than a file."""
    return text.startswith(_PREFIX)


def split_name(name: str) -> tuple[str, str]:
    """Bucket and key of an `ObjectUrl.name`."""
    bucket, _, key = name.removeprefix(_PREFIX).partition("/")
    return bucket, key
