"""Files that appear only when they are whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = ".put-"
"""How names of files begin that are not whole yet."""

_LONGEST_ENDING = 16

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Why a file system takes no more bytes: it is full, or the user or the file has all it may."""


def destination(path: Path) -> Path:
    """Where a file goes that is written to a path: a symbolic link is followed, and stays.

    Raises:
        OSError: the name is too long, or the link leads to nothing or to itself.
    """
    try:
        if not stat.S_ISLNK(path.lstat().st_mode):
            return path
    except (FileNotFoundError, NotADirectoryError):
        return path
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            why = "is a symbolic link that leads in a circle"
        elif error.errno in (errno.ENOENT, errno.ENOTDIR):
            why = f"is a symbolic link to {path.readlink()}, which does not exist"
        else:
            raise
        raise OSError(error.errno, f"{why}: remove the link, or mend it", str(path)) from error
    return path.resolve()


def is_special(path: Path) -> bool:
    """Whether it is a pipe or a device, which is written to and never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to; the file gets its name when the block ends well, and is gone otherwise.

    A file of before is replaced. A symbolic link stays, and the file that it leads to is replaced.
    The path has the same ending, and a short name, however long that of the file is.

    Raises:
        OSError: see `destination`; or the file cannot get its name.
    """
    target = destination(path)
    if is_special(target):
        yield target
        return
    ending = target.suffix if len(os.fsencode(target.suffix)) <= _LONGEST_ENDING else ""
    part = target.with_name(f"{TEMPORARY}{secrets.token_hex(8)}{ending}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
