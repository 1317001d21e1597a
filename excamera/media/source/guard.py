"""A binary file as FFmpeg reads it: errors of the file are kept apart from damaged media.

FFmpeg takes a failed read for the end of the file, or for a damaged packet, and PyAV hands
the error on at some later call, or drops it. So the first error is kept here, FFmpeg is told
that the file ends, and whoever uses the container asks `GuardedFile.check` before believing
what it says. `guarded` asks at the end, whatever has happened until then.
"""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from excamera.errors import InputNotReadable, SourceUnavailable


class GuardedFile:
    """What PyAV needs of a binary file, from byte 0 on, whatever others do with the file.

    Args:
        file: seekable; several guards may share it, one thread at a time.
        label: how messages call it.
        name: FFmpeg guesses the format of a raw stream by its extension.

    Attributes:
        size: of the file when it was opened, in bytes.
    """

    def __init__(self, file: BinaryIO, label: str, name: str) -> None:
        self.name = name
        self.size = 0
        self._label = label
        self._file = file
        self._at = 0
        self._failure: BaseException | None = None
        self._reported = False
        self._blank: Sequence[range] = ()
        try:
            self.size = file.seek(0, os.SEEK_END)
        except BaseException as error:
            self._failure = error

    def read(self, count: int) -> bytes:
        """At most `count` bytes from where the file stands; none once a read has failed."""
        count = max(0, min(count, self.size - self._at))
        place = bisect.bisect_right(self._blank, self._at, key=lambda part: part.start)
        if place and self._at in self._blank[place - 1]:
            data = bytes(min(count, self._blank[place - 1].stop - self._at))
        else:
            if place < len(self._blank):
                count = min(count, self._blank[place].start - self._at)
            data = self.read_at(self._at, count)
        self._at += len(data)
        return data

    def read_at(self, start: int, count: int) -> bytes:
        """`count` bytes from `start`, fewer at the end; where the file stands is not changed."""
        if self._failure is not None or count <= 0:
            return b""
        try:
            self._file.seek(start)
            data = bytes(self._file.read(count))
            while len(data) < count and (more := self._file.read(count - len(data))):
                data += more  # a file without a buffer may give less than there is
        except BaseException as error:  # PyAV would swallow a KeyboardInterrupt
            self._failure = error
            return b""
        return data[:count]  # PyAV copies whatever it gets into a buffer of this size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, also beyond the end; -1 for a place before the start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            return -1  # FFmpeg asks so for the size of an empty file
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where the next read starts."""
        return self._at

    @contextlib.contextmanager
    def blanked(self, parts: Sequence[range]) -> Iterator[None]:
        """While this lasts, these parts of the file are zeros that nobody has to read.

        Args:
            parts: in order, without overlaps.
        """
        self._blank = parts
        try:
            yield
        finally:
            self._blank = ()

    def check(self) -> None:
        """Raise what went wrong in the file itself, if anything has.

        Raises:
            SourceUnavailable: for any `OSError`; other errors are raised as they are.
        """
        if self._failure is None:
            return
        self._reported = True
        if isinstance(self._failure, OSError):
            reason = self._failure.strerror or str(self._failure)
            raise SourceUnavailable(f"{self._label}: cannot be read: {reason}") from self._failure
        raise self._failure

    def check_unreported(self) -> None:
        """`check`, unless its error was raised already."""
        if not self._reported:
            self.check()


@contextlib.contextmanager
def guarded(source: str | BinaryIO, label: str) -> Iterator[GuardedFile | None]:
    """The file that a source is; None for what is no plain file (a pipe, a URL, a pattern).

    On leaving, an error of the file itself replaces what FFmpeg made of it.

    Raises:
        InputNotReadable: there is no permission to read it.
        SourceUnavailable: it could not be read.
    """
    with contextlib.ExitStack() as stack:
        if not isinstance(source, str):
            guard = GuardedFile(source, label, label)
        elif not _is_file(source):
            yield None
            return
        else:
            file = stack.enter_context(_open(source, label))
            guard = GuardedFile(file, label, source)
        try:
            guard.check()
            yield guard
        except Exception:
            guard.check_unreported()
            raise
        guard.check_unreported()


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except OSError:
        return False  # in a folder without permission: FFmpeg says so


def _open(source: str, label: str) -> BinaryIO:
    try:
        # Unbuffered, for FFmpeg has a buffer.
        return Path(source).open("rb", buffering=0)
    except PermissionError as error:
        raise InputNotReadable(f"{label}: permission denied") from error
    except OSError as error:
        raise SourceUnavailable(f"{label}: cannot be read: {error.strerror}") from error
