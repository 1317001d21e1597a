"""A store in this process's memory."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from mu.errors import NoSuchKey, StoreError
from mu.store.protocol import Range, check_key, copy_range, open_object


class MemoryStore:
    """A store in this process's memory, for tests of task functions."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """See `Store.url`."""
        raise StoreError("a MemoryStore cannot be opened from another process")

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `Store.put`."""
        with self._lock:
            self._objects[check_key(key)] = bytes(data)

    def put_new(self, key: str, data: bytes | memoryview) -> bool:
        """See `Store.put_new`."""
        with self._lock:
            if check_key(key) in self._objects:
                return False
            self._objects[key] = bytes(data)
        return True

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """See `Store.put_file`."""
        self.put(key, Path(path).read_bytes())
        Path(path).unlink()

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        try:
            return self._objects[key]
        except KeyError:
            raise NoSuchKey(key) from None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        return self.get(key)[start : start + length]

    def size(self, key: str) -> int:
        """See `Store.size`."""
        return len(self.get(key))

    def concat(self, key: str, parts: Iterable[bytes | Range]) -> int:
        """See `Store.concat`."""
        out = io.BytesIO()
        for part in parts:
            if isinstance(part, Range):
                with open_object(part.store or self, part.key) as file:
                    copy_range(file, out, part)
            else:
                out.write(part)
        self.put(key, out.getvalue())
        return out.tell()

    def list(self, prefix: str = "") -> list[str]:
        """See `Store.list`."""
        with self._lock:
            return sorted(key for key in self._objects if key.startswith(prefix))

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

    def source(self, key: str) -> str | BinaryIO:
        """See `Store.source`."""
        return io.BytesIO(self.get(key))
