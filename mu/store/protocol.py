"""Where bulk data lives: the protocol that every store implements."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, runtime_checkable

from mu.errors import StoreError

REQUESTS_AT_ONCE = 16
"""The most requests that one process has under way at the same time."""

Buffer = bytes | bytearray | memoryview

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a stored object: `length` bytes from `start`, or None for the whole rest.

    `store` holds the object; None stands for the store that joins the parts.
    """

    key: str
    start: int = 0
    length: int | None = None
    store: Store | None = None


NOTHING = ""
"""As `replaces` of `Store.concat`: the object must not exist yet."""


class Source(Protocol):
    """A file or a stored object, as it was when somebody looked it up."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def etag(self) -> str:
        """Changes with the object; "" if a replaced object cannot be told from the old one."""

    @property
    def modified(self) -> datetime | None:
        """When it was stored, if that matters to anybody."""

    @property
    def age_s(self) -> float:
        """Seconds since it was stored; both times are by the clock of the store."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What its owner stored with it, names in lower case."""

    def open(self) -> str | BinaryIO:
        """Something a media library can open and seek: a path, or a binary file."""


@runtime_checkable
class Store(Protocol):
    """Objects of bytes under keys such as ``jobs/7/plan.json``.

    A `put` is atomic: a reader sees the old object, the new one, or none, never a part.
    """

    def put(self, key: str, data: Buffer) -> None:
        """Store `data` under `key`, replacing any object there."""

    def put_new(self, key: str, data: Buffer) -> bool:
        """Store `data` unless `key` has an object; returns whether it did.

        If several writers try at the same time, exactly one succeeds.
        """

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """Store the contents of a local file under `key`; the file may be moved away."""

    def get(self, key: str) -> bytes:
        """The whole object. Raises `NoSuchKey`."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from byte `start`. Raises `NoSuchKey`."""

    def get_writable(self, key: str, start: int, length: int) -> Buffer:
        """`length` bytes from byte `start`, in memory of the caller's own, which may be changed.

        For large objects: they are read in parallel, or not copied at all, and take their size in
        memory once.

        Raises:
            NoSuchKey: there is no such object.
            ObjectChanged: it was replaced meanwhile.
            StoreError: it ends before.
        """

    def size(self, key: str) -> int:
        """Size of the object in bytes. Raises `NoSuchKey`."""

    def concat(
        self,
        key: str,
        parts: Iterable[Buffer | Range],
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> int:
        """Join parts, in order, into one new object, and return its size in bytes.

        Large parts need not pass through this process (S3 copies them on its side).

        Args:
            key: of the new object.
            parts: literal bytes, and ranges of objects in this store or another.
            content_type: media type of the object, for stores that keep it.
            metadata: see `Source.metadata`; for stores that keep it.
            replaces: the etag of the object that may be replaced, or `NOTHING`; None if any
                object may be.

        Raises:
            NoSuchKey: a part is missing, or the object that may be replaced.
            ObjectExists: `replaces` does not hold; nothing has changed.
        """

    def list(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
        """The keys that begin with `prefix`, sorted; it costs as much as it returns.

        Args:
            prefix: how they begin.
            after: only keys that come after this one, which need not exist.
            limit: only so many, the first ones.
        """

    def exists(self, key: str) -> bool:
        """Whether an object is stored under `key`."""

    def delete(self, key: str) -> None:
        """Remove the object, if there is one."""

    def delete_all(self, keys: Iterable[str]) -> None:
        """Remove many objects, in as few requests as possible.

        Raises:
            StoreUnavailable: some could not be removed for now, and may still be there.
        """

    def look_up(self, key: str) -> Source:
        """The object as it is now. Raises `NoSuchKey`."""

    @property
    def url(self) -> str:
        """What `open_store` needs to open this store in another process."""


def check_key(key: str) -> str:
    """Return the key if every store can hold it.

    Raises:
        StoreError: one cannot.
    """
    parts = key.split("/")
    if not key or key.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise StoreError(f"{key!r} is not a valid key")
    return key


def ends_early(key: str, end: int) -> StoreError:
    """What to raise if an object ends before that byte."""
    return StoreError(f"{key} ends before byte {end}")


def write_parts(out: BinaryIO, parts: Iterable[Buffer | Range], store: Store) -> None:
    """Write parts, in order, to a file.

    Args:
        out: the file.
        parts: as for `Store.concat`.
        store: the store of ranges that name none.

    Raises:
        NoSuchKey: an object is missing.
        StoreError: an object ends before its range does.
    """
    for part in parts:
        if isinstance(part, Range):
            _copy(part, part.store or store, out)
        else:
            out.write(part)


def _copy(part: Range, store: Store, out: BinaryIO) -> None:
    opened = store.look_up(part.key).open()
    with Path(opened).open("rb") if isinstance(opened, str) else opened as file:
        file.seek(part.start)
        left = part.length
        while left is None or left > 0:
            data = file.read(1 << 20 if left is None else min(left, 1 << 20))
            if not data:
                if left is None:
                    return
                raise ends_early(part.key, part.start + (part.length or 0))
            out.write(data)
            left = None if left is None else left - len(data)


def at_once(
    request: Callable[[Item], Result], items: Iterable[Item], most: int = REQUESTS_AT_ONCE
) -> list[Result]:
    """The result of a request for each item, several at a time because stores answer late.

    Args:
        request: makes one.
        items: what it is given.
        most: requests that are under way at the same time.

    Raises:
        Exception: of the first item that failed, once all requests under way have ended.
    """
    from concurrent.futures import ThreadPoolExecutor  # workers begin faster without it

    with ThreadPoolExecutor(most) as pool:
        return list(pool.map(request, items))
