"""The store in S3: `S3Store` is a bucket, `S3Object` one version of one object."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

from mu.errors import (
    NoSuchKey,
    ObjectChanged,
    ObjectExists,
    StoreDenied,
    StoreError,
    StoreUnavailable,
)
from mu.store.block_file import BlockFile
from mu.store.protocol import NOTHING, Buffer, Range, at_once
from mu.store.s3.client import PastEnd, client, translated
from mu.store.s3.join import join
from mu.store.s3.parallel import pool_of_requests, read_writable
from mu.store.url import ObjectUrl

_CACHE_BYTES = 48 << 20
"""Of a source that is read by ranges: the blocks on their way, and as many others."""

_BLIND = "?absent=forbidden"

KEYS_AT_ONCE = 1000
"""The most that S3 lists or deletes in one request."""

_DELETIONS_AT_ONCE = 4
"""S3 takes 3,500 writes a second to one prefix, of which a request for 1,000 keys is 1,000."""

_PASSING = frozenset({"InternalError", "ServiceUnavailable", "SlowDown"})
"""Problems with single keys of a deletion that are gone the next time."""


@dataclass(frozen=True, slots=True)
class S3Object:
    """One version of one object; once it is replaced, reads fail with `ObjectChanged`.

    Attributes:
        bucket: its bucket.
        key: its key.
        version: its version if the bucket keeps versions, else "".
        size: bytes.
        etag: as S3 returns it, with its quotes.
        modified: when it was stored.
        metadata: the user's own (``x-amz-meta-...``), with names in lower case.
        age_s: seconds from when it was stored to when it was looked up, both by S3's clock.
    """

    bucket: str
    key: str
    version: str
    size: int
    etag: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    age_s: float = 0.0

    @classmethod
    def look_up(cls, url: str) -> S3Object:
        """The object that an `ObjectUrl` names.

        Raises:
            StoreError: the text is not a URL of an object.
            NoSuchKey: there is no such object.
            StoreDenied: this process may not read it.
            StoreUnavailable: S3 does not answer.
        """
        asked = ObjectUrl.parse(url)
        which: dict[str, Any] = {"VersionId": asked.version} if asked.version else {}
        with translated(asked.name):
            head = client().head_object(Bucket=asked.bucket, Key=asked.key, **which)
        answered = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
        return cls(
            asked.bucket,
            asked.key,
            head.get("VersionId", asked.version),
            head["ContentLength"],
            head["ETag"],
            head["LastModified"],
            {name.lower(): value for name, value in head["Metadata"].items()},
            (answered - head["LastModified"]).total_seconds(),
        )

    @property
    def url(self) -> str:
        """The `ObjectUrl` of this version, as text."""
        return str(ObjectUrl(self.bucket, self.key, self.version))

    def read_range(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from byte `start`, both within the object.

        Raises:
            ObjectChanged: the object was replaced or removed.
            StoreUnavailable: S3 does not answer.
        """
        which: dict[str, Any] = {"VersionId": self.version} if self.version else {}
        try:
            with translated(self.key):
                answer = client().get_object(
                    Bucket=self.bucket,
                    Key=self.key,
                    Range=f"bytes={start}-{start + length - 1}",
                    IfMatch=self.etag,
                    **which,
                )
                return bytes(answer["Body"].read())
        except (ObjectExists, NoSuchKey, StoreDenied) as error:
            # S3 also says "forbidden" of what is absent, and the look-up was allowed to read this.
            raise ObjectChanged(f"{ObjectUrl(self.bucket, self.key).name} was replaced") from error

    def open(self) -> BinaryIO:
        """The object as a seekable binary file, read by ranges."""
        return BlockFile(
            self.read_range, self.size, cache_bytes=_CACHE_BYTES, pool=pool_of_requests()
        )


class S3Store:
    """A store in a bucket, with the same keys."""

    def __init__(self, bucket: str, *, absent_is_forbidden: bool = False) -> None:
        """Opens a bucket.

        Args:
            bucket: its name.
            absent_is_forbidden: whether this process may read all keys that it asks for, but
                may not list the bucket. S3 then says "forbidden" of an absent key.
        """
        self.bucket = bucket
        self._absent_is_forbidden = absent_is_forbidden

    def __repr__(self) -> str:
        return f"S3Store({self.bucket!r})"

    @property
    def url(self) -> str:
        """See `mu.Store.url`."""
        return f"s3://{self.bucket}" + (_BLIND if self._absent_is_forbidden else "")

    @contextlib.contextmanager
    def _read(self, key: str) -> Iterator[None]:
        """As `translated`, for requests that only read."""
        try:
            with translated(key):
                yield
        except StoreDenied as error:
            if self._absent_is_forbidden:
                raise NoSuchKey(key) from error
            raise

    @classmethod
    def at(cls, url: str) -> S3Store:
        """The store whose `url` this is."""
        name = url.removeprefix("s3://")
        return cls(name.removesuffix(_BLIND), absent_is_forbidden=name.endswith(_BLIND))

    def put(self, key: str, data: Buffer) -> None:
        """See `mu.Store.put`."""
        with translated(key):
            client().put_object(Bucket=self.bucket, Key=key, Body=bytes(data))

    def put_new(self, key: str, data: Buffer) -> bool:
        """See `mu.Store.put_new`."""
        try:
            with translated(key):
                client().put_object(Bucket=self.bucket, Key=key, Body=bytes(data), IfNoneMatch="*")
        except ObjectExists:
            return False
        return True

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """See `mu.Store.put_file`; large files go in parts."""
        with translated(key):
            client().upload_file(os.fspath(path), self.bucket, key)
        Path(path).unlink()

    def get(self, key: str) -> bytes:
        """See `mu.Store.get`."""
        with self._read(key):
            return bytes(client().get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `mu.Store.get_range`."""
        if length <= 0:
            return b""
        wanted = f"bytes={start}-{start + length - 1}"
        try:
            with self._read(key):
                answer = client().get_object(Bucket=self.bucket, Key=key, Range=wanted)
                return bytes(answer["Body"].read())
        except PastEnd:
            return b""

    def get_writable(self, key: str, start: int, length: int) -> bytearray:
        """See `mu.Store.get_writable`; large objects are read by ranges, several at a time."""
        return read_writable(self.bucket, key, start, length)

    def size(self, key: str) -> int:
        """See `mu.Store.size`."""
        with self._read(key):
            return int(client().head_object(Bucket=self.bucket, Key=key)["ContentLength"])

    def concat(
        self,
        key: str,
        parts: Iterable[Buffer | Range],
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> int:
        """See `mu.Store.concat`; S3 itself copies large ranges, all of which must lie in S3."""
        request: dict[str, Any] = {}
        if content_type:
            request["ContentType"] = content_type
        if metadata:
            request["Metadata"] = dict(metadata)
        condition = {}
        if replaces is not None:
            condition = {"IfNoneMatch": "*"} if replaces == NOTHING else {"IfMatch": replaces}
        return join(self, key, parts, request, condition)

    def list(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
        """See `mu.Store.list`."""
        found: list[str] = []
        more = {"StartAfter": after} if after else {}
        while limit is None or len(found) < limit:
            most = KEYS_AT_ONCE if limit is None else min(limit - len(found), KEYS_AT_ONCE)
            with translated(prefix):
                page = client().list_objects_v2(
                    Bucket=self.bucket, Prefix=prefix, MaxKeys=most, **more
                )
            found += [item["Key"] for item in page.get("Contents", [])]
            if "NextContinuationToken" not in page:
                break
            more = {"ContinuationToken": page["NextContinuationToken"]}
        return found

    def exists(self, key: str) -> bool:
        """See `mu.Store.exists`."""
        try:
            self.size(key)
        except NoSuchKey:
            return False
        return True

    def delete(self, key: str) -> None:
        """See `mu.Store.delete`."""
        with translated(key):
            client().delete_object(Bucket=self.bucket, Key=key)

    def delete_all(self, keys: Iterable[str]) -> None:
        """See `mu.Store.delete_all`."""
        wanted = list(keys)
        parts = [wanted[at : at + KEYS_AT_ONCE] for at in range(0, len(wanted), KEYS_AT_ONCE)]
        if len(parts) == 1:
            self._delete_some(parts[0])
        elif parts:
            at_once(self._delete_some, parts, most=_DELETIONS_AT_ONCE)

    def _delete_some(self, keys: Sequence[str]) -> None:
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        with translated(keys[0]):
            answer = client().delete_objects(Bucket=self.bucket, Delete=wanted)
        # A problem that stays counts for more than one that passes.
        problems = sorted(answer.get("Errors", []), key=lambda one: one["Code"] in _PASSING)
        for problem in problems[:1]:
            kind = StoreUnavailable if problem["Code"] in _PASSING else StoreError
            raise kind(f"{problem['Key']}: {problem.get('Message', problem['Code'])}")

    def look_up(self, key: str) -> S3Object:
        """See `mu.Store.look_up`."""
        with self._read(key):
            return S3Object.look_up(str(ObjectUrl(self.bucket, key)))
