"""A part of a store that looks like a whole one: all keys below a prefix."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from mu.store.protocol import Buffer, Range, Source, Store

SCHEME = "below"


class StoreBelow:
    """The objects of a store whose keys begin with a prefix, under the rest of their keys."""

    def __init__(self, store: Store, prefix: str) -> None:
        """Opens a part of a store.

        Args:
            store: the whole.
            prefix: without a slash at its end.
        """
        self._store = store
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"StoreBelow({self._store!r}, {self._prefix!r})"

    @property
    def url(self) -> str:
        """See `mu.Store.url`."""
        return f"{SCHEME}:{self._prefix}|{self._store.url}"

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}"

    def put(self, key: str, data: Buffer) -> None:
        """See `mu.Store.put`."""
        self._store.put(self._key(key), data)

    def put_new(self, key: str, data: Buffer) -> bool:
        """See `mu.Store.put_new`."""
        return self._store.put_new(self._key(key), data)

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """See `mu.Store.put_file`."""
        self._store.put_file(self._key(key), path)

    def get(self, key: str) -> bytes:
        """See `mu.Store.get`."""
        return self._store.get(self._key(key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `mu.Store.get_range`."""
        return self._store.get_range(self._key(key), start, length)

    def get_writable(self, key: str, start: int, length: int) -> Buffer:
        """See `mu.Store.get_writable`."""
        return self._store.get_writable(self._key(key), start, length)

    def size(self, key: str) -> int:
        """See `mu.Store.size`."""
        return self._store.size(self._key(key))

    def concat(
        self,
        key: str,
        parts: Iterable[Buffer | Range],
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> int:
        """See `mu.Store.concat`."""
        return self._store.concat(
            self._key(key),
            self._parts(parts),
            content_type=content_type,
            metadata=metadata,
            replaces=replaces,
        )

    def _parts(self, parts: Iterable[Buffer | Range]) -> Iterator[Buffer | Range]:
        for part in parts:
            if isinstance(part, Range) and part.store is None:
                yield Range(self._key(part.key), part.start, part.length)
            elif isinstance(part, Range) and isinstance(part.store, StoreBelow):
                # The whole store knows how to copy from others like itself.
                below = part.store
                yield Range(below._key(part.key), part.start, part.length, below._store)
            else:
                yield part

    def list(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
        """See `mu.Store.list`."""
        begin = self._key("")
        found = self._store.list(
            self._key(prefix), after=self._key(after) if after else "", limit=limit
        )
        return [key.removeprefix(begin) for key in found]

    def exists(self, key: str) -> bool:
        """See `mu.Store.exists`."""
        return self._store.exists(self._key(key))

    def delete(self, key: str) -> None:
        """See `mu.Store.delete`."""
        self._store.delete(self._key(key))

    def delete_all(self, keys: Iterable[str]) -> None:
        """See `mu.Store.delete_all`."""
        self._store.delete_all(map(self._key, keys))

    def look_up(self, key: str) -> Source:
        """See `mu.Store.look_up`."""
        return self._store.look_up(self._key(key))
