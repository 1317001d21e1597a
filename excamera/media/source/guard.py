"""A binary file for FFmpeg that keeps the file's own errors apart from damaged media.

FFmpeg takes a failed read for the end of the file, or for a damaged packet, and PyAV raises the
error at some later call, or drops it. So a `GuardedFile` keeps the first error and reports the
end of the file to FFmpeg. Callers ask `GuardedFile.check` before they trust what the container
says, and `guarded` asks at the end in any case.
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
    """A binary file for PyAV, read from byte 0; other readers of the file do not disturb it.

    Args:
        file: seekable; several guards may share it, one thread at a time.
        label: its name in messages.
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
        """At most `count` bytes from the current position; none after a read has failed."""
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
        """`count` bytes from `start`, fewer at the end; the current position does not change."""
        if self._failure is not None or count <= 0:
            return b""
        try:
            self._file.seek(start)
            data = bytes(self._file.read(count))
            while len(data) < count and (more := self._file.read(count - len(data))):
                data += more  # an unbuffered file may return less than there is
        except BaseException as error:  # PyAV would swallow a KeyboardInterrupt
            self._failure = error
            return b""
        return data[:count]  # PyAV copies whatever it gets into a buffer of this size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, also beyond the end; -1 for a place before the start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            return -1  # FFmpeg does this to ask for the size of an empty file
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The position of the next read."""
        return self._at

    @property
    def share(self) -> float:
        """How much of the file is before the next read, from 0 to 1."""
        return min(1.0, self._at / max(1, self.size))

    @contextlib.contextmanager
    def blanked(self, parts: Sequence[range]) -> Iterator[None]:
        """Replace these parts of the file by zeros, which cost no read, inside the block.

        Args:
            parts: in order, without overlaps.
        """
        self._blank = parts
        try:
            yield
        finally:
            self._blank = ()

    def check(self) -> None:
        """Raise the file's own error, if it had one.

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
    """The guarded file of a source; None if it is not a plain file but a pipe, URL or pattern.

    When the block ends, an error of the file itself replaces whatever FFmpeg made of it.

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
