"""A store in this process's memory."""

from __future__ import annotations

import io
import itertools
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from mu.errors import NoSuchKey, ObjectExists, StoreError
from mu.store.protocol import NOTHING, Buffer, Range, check_key, ends_early, write_parts


@dataclass(frozen=True, slots=True)
class MemoryObject:
    """One object; see `Source`."""

    data: bytes
    etag: str
    modified: datetime
    metadata: Mapping[str, str]

    @property
    def size(self) -> int:
        """See `Source.size`."""
        return len(self.data)

    @property
    def age_s(self) -> float:
        """See `Source.age_s`."""
        return (datetime.now(UTC) - self.modified).total_seconds()

    def open(self) -> BinaryIO:
        """See `Source.open`."""
        return io.BytesIO(self.data)


class MemoryStore:
    """A store for tests of task functions; it keeps all that a bucket keeps."""

    def __init__(self) -> None:
        self._objects: dict[str, MemoryObject] = {}
        self._etags = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """See `Store.url`."""
        raise StoreError("a MemoryStore cannot be opened from another process")

    def put(self, key: str, data: Buffer) -> None:
        """See `Store.put`."""
        self._put(key, bytes(data))

    def put_new(self, key: str, data: Buffer) -> bool:
        """See `Store.put_new`."""
        try:
            self._put(key, bytes(data), replaces=NOTHING)
        except ObjectExists:
            return False
        return True

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """See `Store.put_file`."""
        self.put(key, Path(path).read_bytes())
        Path(path).unlink()

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        return self.look_up(key).data

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        return self.get(key)[start : start + length]

    def get_writable(self, key: str, start: int, length: int) -> bytearray:
        """See `Store.get_writable`."""
        data = bytearray(memoryview(self.get(key))[start : start + length])
        if len(data) != length:
            raise ends_early(key, start + length)
        return data

    def size(self, key: str) -> int:
        """See `Store.size`."""
        return len(self.get(key))

    def concat(
        self,
        key: str,
        parts: Iterable[Buffer | Range],
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> int:
        """See `Store.concat`."""
        out = io.BytesIO()
        write_parts(out, parts, self)
        self._put(key, out.getvalue(), metadata or {}, replaces)
        return out.tell()

    def list(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
        """See `Store.list`."""
        with self._lock:
            return sorted(key for key in self._objects if key.startswith(prefix) and key > after)[
                :limit
            ]

    def exists(self, key: str) -> bool:
        """See `Store.exists`."""
        return key in self._objects

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        with self._lock:
            self._objects.pop(key, None)

    def delete_all(self, keys: Iterable[str]) -> None:
        """See `Store.delete_all`."""
        for key in keys:
            self.delete(key)

    def look_up(self, key: str) -> MemoryObject:
        """See `Store.look_up`."""
        try:
            return self._objects[key]
        except KeyError:
            raise NoSuchKey(key) from None

    def _put(
        self,
        key: str,
        data: bytes,
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> None:
        check_key(key)
        with self._lock:
            found = self._objects.get(key)
            if replaces and found is None:
                raise NoSuchKey(key)
            if replaces is not None and found is not None and replaces != found.etag:
                raise ObjectExists(key)
            etag = f'"{next(self._etags)}"'
            self._objects[key] = MemoryObject(data, etag, datetime.now(UTC), metadata or {})
