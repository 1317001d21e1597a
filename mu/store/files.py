"""Files by name, wherever they are: paths, and URLs of stored objects."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mu.errors import NoSuchKey
from mu.store.directory import DirectoryStore
from mu.store.opening import look_up, open_store
from mu.store.url import ObjectUrl, is_object_url
from mu.whole import destination, is_special

_WILD = re.compile(r"[*?\[]")


def files(pattern: str) -> list[str]:
    """The files that a pattern names, sorted: paths, or ``s3://bucket/...`` URLs.

    ``*``, ``?`` and ``[...]`` stay within a folder; ``**`` is any number of folders. A file that
    is called just so is found, whatever signs its name has.

    Raises:
        StoreError: the bucket cannot be listed.
    """
    if not is_object_url(pattern):
        if Path(pattern).is_file():
            return [pattern]
        found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 (keeps relative paths)
        return sorted(path for path in found if Path(path).is_file())
    scheme, _, rest = pattern.partition("://")
    bucket, _, wanted = rest.partition("/")
    fixed = _WILD.split(wanted, maxsplit=1)[0]
    keys = open_store(f"{scheme}://{bucket}").list(fixed)
    parts = wanted.split("/")
    return [
        str(ObjectUrl(bucket, key))
        for key in keys
        if not key.endswith("/") and _matches(key.split("/"), parts)
    ]


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return (
        bool(parts)
        and fnmatch.fnmatchcase(parts[0], pattern[0])
        and _matches(parts[1:], pattern[1:])
    )


def name_of(place: str) -> str:
    """The last part of a path or of an object's key."""
    if is_object_url(place):
        return ObjectUrl.parse(place).key.rpartition("/")[2]
    return Path(place).name


def open(place: str) -> BinaryIO:
    """Open a file or an object to read its bytes from any position.

    Raises:
        NoSuchKey: there is no such file or object.
        StoreError: it cannot be read.
    """
    opened = look_up(place).open()
    if not isinstance(opened, str):
        return opened
    try:
        return Path(opened).open("rb")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise NoSuchKey(place) from error


def fetch(place: str, target: Path) -> None:
    """Copy a file or an object to a path.

    Raises:
        NoSuchKey: there is no such file or object.
        StoreError: it cannot be read.
    """
    opened = look_up(place).open()
    if isinstance(opened, str):
        try:
            shutil.copyfile(opened, target)
        except FileNotFoundError as error:
            raise NoSuchKey(place) from error
        return
    with opened as source, target.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)


def deliver(path: str | os.PathLike[str], place: str) -> None:
    """Move a file to where it is wanted; it appears there whole, and replaces what was there.

    A symbolic link stays, and what it leads to is replaced. Pipes and devices are written to.

    Raises:
        StoreError: it cannot be stored there, for one because there is no room.
        OSError: there can be no file of this name.
    """
    if is_object_url(place):
        url = ObjectUrl.parse(place)
        open_store(f"s3://{url.bucket}").put_file(url.key, path)
        return
    target = destination(Path(place).absolute())
    if is_special(target):
        with Path(path).open("rb") as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
        Path(path).unlink()
        return
    DirectoryStore(target.parent).put_file(target.name, path)
