"""Where bulk data lives: one small protocol, a directory and a dictionary behind it.

`mu.s3` is the third implementation.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, runtime_checkable

from mu.errors import NoSuchKey, StoreError

REQUESTS_AT_ONCE = 16
"""How many requests of one process are under way at the same time, at most."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a stored object: `length` bytes from `start` on, None for all the rest.

    `store` is where the object lies, None for the store that joins the parts.
    """

    key: str
    start: int = 0
    length: int | None = None
    store: Store | None = None


@runtime_checkable
class Store(Protocol):
    """Objects of bytes under keys such as ``jobs/7/plan.json``.

    A `put` is atomic: a reader sees the old object, the new one, or none, never a part.
    """

    def put(self, key: str, data: bytes | memoryview) -> None:
        """Store `data` under `key`, replacing what was there."""

    def put_new(self, key: str, data: bytes | memoryview) -> bool:
        """Store `data` unless something is stored under `key`; gives whether it did.

        Of several writers at the same time exactly one succeeds.
        """

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """Store the contents of a local file under `key`; the file itself may be moved."""

    def get(self, key: str) -> bytes:
        """The whole object. Raises `NoSuchKey`."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """At most `length` bytes from byte `start` on. Raises `NoSuchKey`."""

    def size(self, key: str) -> int:
        """Size of the object in bytes. Raises `NoSuchKey`."""

    def concat(self, key: str, parts: Iterable[bytes | Range]) -> int:
        """Join parts, in order, into one new object; gives its size in bytes.

        Large parts need not pass through this process (S3 copies them on its side).
        Raises `NoSuchKey`.
        """

    def list(self, prefix: str = "") -> list[str]:
        """All keys that begin with `prefix`, sorted."""

    def exists(self, key: str) -> bool:
        """Whether an object is stored under `key`."""

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens if there is none."""

    def delete_all(self, keys: Iterable[str]) -> None:
        """Remove many objects, in as few requests as possible."""

    def source(self, key: str) -> str | BinaryIO:
        """Something a media library can open and seek: a path, a URL, or a binary file."""

    @property
    def url(self) -> str:
        """What `open_store` needs to open this store in another process."""


def _check_key(key: str) -> str:
    parts = key.split("/")
    if not key or key.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise StoreError(f"{key!r} is not a valid key")
    return key


def _copy(file: BinaryIO, out: BinaryIO, part: Range) -> None:
    file.seek(part.start)
    left = part.length
    while left is None or left > 0:
        data = file.read(1 << 20 if left is None else min(left, 1 << 20))
        if not data:
            if left is None:
                return
            raise StoreError(f"{part.key} ends before byte {part.start + (part.length or 0)}")
        out.write(data)
        left = None if left is None else left - len(data)


def _reader(store: Store, key: str) -> BinaryIO:
    """A store's object as a binary file."""
    source = store.source(key)
    return Path(source).open("rb") if isinstance(source, str) else source


class DirectoryStore:
    """A store in a local directory: key ``a/b`` is the file ``a/b`` in it."""

    _TEMPORARY = ".put-"

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).absolute()

    def __repr__(self) -> str:
        return f"DirectoryStore({str(self.root)!r})"

    @property
    def url(self) -> str:
        """See `Store.url`."""
        return f"dir:{self.root}"

    def path(self, key: str) -> Path:
        """The file that holds (or would hold) `key`."""
        return self.root / _check_key(key)

    def put(self, key: str, data: bytes | memoryview) -> None:
        """See `Store.put`."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=self._TEMPORARY, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise

    def put_new(self, key: str, data: bytes | memoryview) -> bool:
        """See `Store.put_new`."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=self._TEMPORARY, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            path.hardlink_to(temporary)  # fails where a rename would replace
        except FileExistsError:
            return False
        finally:
            Path(temporary).unlink()
        return True

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """See `Store.put_file`."""
        target = self.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            Path(path).replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            near = target.with_name(f"{self._TEMPORARY}{os.getpid()}-{target.name}")
            shutil.copyfile(path, near)  # another file system: copy next to it first
            near.replace(target)
            Path(path).unlink()

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        with self._open(key) as file:
            return file.read()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        with self._open(key) as file:
            file.seek(start)
            return file.read(length)

    def size(self, key: str) -> int:
        """See `Store.size`."""
        try:
            return self.path(key).stat().st_size
        except FileNotFoundError as error:
            raise NoSuchKey(key) from error

    def concat(self, key: str, parts: Iterable[bytes | Range]) -> int:
        """See `Store.concat`."""
        target = self.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=self._TEMPORARY, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                for part in parts:
                    if isinstance(part, Range):
                        with _reader(part.store or self, part.key) as file:
                            _copy(file, out, part)
                    else:
                        out.write(part)
                size = out.tell()
            Path(temporary).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        return size

    def list(self, prefix: str = "") -> list[str]:
        """See `Store.list`."""
        folder = self.root / prefix.rpartition("/")[0]
        keys = (
            path.relative_to(self.root).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(self._TEMPORARY)
        )
        return sorted(key for key in keys if key.startswith(prefix))

    def exists(self, key: str) -> bool:
        """See `Store.exists`."""
        return self.path(key).is_file()

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        self.path(key).unlink(missing_ok=True)

    def delete_all(self, keys: Iterable[str]) -> None:
        """See `Store.delete_all`."""
        for key in keys:
            self.delete(key)

    def source(self, key: str) -> str | BinaryIO:
        """See `Store.source`."""
        if not self.exists(key):
            raise NoSuchKey(key)
        return str(self.path(key))

    def _open(self, key: str) -> BinaryIO:
        try:
            return self.path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NoSuchKey(key) from error


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
            self._objects[_check_key(key)] = bytes(data)

    def put_new(self, key: str, data: bytes | memoryview) -> bool:
        """See `Store.put_new`."""
        with self._lock:
            if _check_key(key) in self._objects:
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
                with _reader(part.store or self, part.key) as file:
                    _copy(file, out, part)
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


def at_once(request: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What a request gives for each item, made for several at a time: stores answer late.

    Raises:
        Exception: the first item's that failed, when all that were under way have ended.
    """
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        return list(pool.map(request, items))


def open_store(url: str) -> Store:
    """Open the store that a `Store.url` describes.

    Raises:
        StoreError: the scheme is not one mu knows.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "dir" and rest:
        return DirectoryStore(rest)
    if scheme == "s3" and rest.startswith("//"):
        from mu.s3 import S3Store  # boto3 is needed only where stores are buckets

        return S3Store(rest.removeprefix("//"))
    raise StoreError(f"no store for {url!r}")
