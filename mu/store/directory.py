"""A store in a local directory."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedReader, BufferedWriter
from pathlib import Path

from mu.errors import NoSuchKey, ObjectExists, StoreFull
from mu.store.protocol import Buffer, Range, check_key, ends_early, write_parts
from mu.whole import NO_ROOM, TEMPORARY, whole_file

_MAPPED_BYTES = 1 << 20
"""Smaller objects are copied: that takes less than a mapping and its page faults."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A local file; nobody watches whether it is replaced.

    Attributes:
        path: of the file, or whatever a media library opens by a name.
    """

    path: str
    etag: str = ""
    modified: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """See `Source.size`."""
        return Path(self.path).stat().st_size

    @property
    def age_s(self) -> float:
        """See `Source.age_s`."""
        return time.time() - Path(self.path).stat().st_mtime

    def open(self) -> str:
        """See `Source.open`."""
        return self.path


class DirectoryStore:
    """A store in a local directory: key ``a/b`` is the file ``a/b`` in it."""

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
        return self.root / check_key(key)

    def put(self, key: str, data: Buffer) -> None:
        """See `Store.put`."""
        path = self.path(key)
        with self._new(path) as (file, temporary):
            file.write(data)
            file.close()
            temporary.replace(path)

    def put_new(self, key: str, data: Buffer) -> bool:
        """See `Store.put_new`."""
        path = self.path(key)
        try:
            with self._new(path) as (file, temporary):
                file.write(data)
                file.close()
                _link_new(temporary, path)
        except ObjectExists:
            return False
        return True

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """See `Store.put_file`."""
        target = self.path(key)
        with self._room():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                Path(path).replace(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with whole_file(target) as near:
                    # another file system: copy beside the target first
                    shutil.copyfile(path, near)
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

    def get_writable(self, key: str, start: int, length: int) -> Buffer:
        """See `Store.get_writable`; a large object is a private mapping of its file."""
        with self._open(key) as file:
            if os.fstat(file.fileno()).st_size < start + length:
                raise ends_early(key, start + length)
            if length < _MAPPED_BYTES:
                data = bytearray(length)
                file.seek(start)
                file.readinto(data)
                return data
            before = start % mmap.ALLOCATIONGRANULARITY
            # What is written to it stays in this process. No file of a store is changed in place.
            mapped = mmap.mmap(
                file.fileno(), before + length, access=mmap.ACCESS_COPY, offset=start - before
            )
            return memoryview(mapped)[before:]

    def size(self, key: str) -> int:
        """See `Store.size`."""
        try:
            return self.path(key).stat().st_size
        except FileNotFoundError as error:
            raise NoSuchKey(key) from error

    def concat(
        self,
        key: str,
        parts: Iterable[Buffer | Range],
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        replaces: str | None = None,
    ) -> int:
        """See `Store.concat`; a directory keeps neither type nor metadata, and has no etags."""
        target = self.path(key)
        if replaces:
            raise ObjectExists(key) if target.exists() else NoSuchKey(key)
        with self._new(target) as (out, temporary):
            write_parts(out, parts, self)
            size = out.tell()
            out.close()
            if replaces is None:
                temporary.replace(target)
            else:
                _link_new(temporary, target)
        return size

    def list(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
        """See `Store.list`."""
        folder = self.root / prefix.rpartition("/")[0]
        keys = (
            path.relative_to(self.root).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(TEMPORARY)
        )
        return sorted(key for key in keys if key.startswith(prefix) and key > after)[:limit]

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

    def look_up(self, key: str) -> FileSource:
        """See `Store.look_up`."""
        if not self.exists(key):
            raise NoSuchKey(key)
        return FileSource(str(self.path(key)))

    @contextlib.contextmanager
    def _new(self, path: Path) -> Iterator[tuple[BufferedWriter, Path]]:
        """A new file beside a path, with its name; what has no other name by the end is gone."""
        with self._room():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
            file, temporary = os.fdopen(handle, "wb"), Path(name)
            try:
                yield file, temporary
            except BaseException:
                with contextlib.suppress(OSError):
                    file.close()
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in NO_ROOM:
                raise StoreFull(f"{self.root}: {error.strerror}") from error
            raise

    def _open(self, key: str) -> BufferedReader:
        try:
            return self.path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NoSuchKey(key) from error


def _link_new(temporary: Path, target: Path) -> None:
    """Give a temporary file its name, unless another file has it."""
    try:
        target.hardlink_to(temporary)  # a rename would replace
    except FileExistsError as error:
        raise ObjectExists(f"{target.name} exists") from error
    temporary.unlink()
