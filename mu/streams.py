"""The standard streams of a command, made fit for a terminal that may go away.

What is written to standard error is progress and messages: if it cannot be written, it is dropped,
and nothing stops because of it. What is written to standard output is a result: if it cannot be
written, the error says so.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

STDIN, STDOUT = "standard input", "standard output"


class NoReader(Exception):
    """Nobody reads standard output any more. No `OSError`: click would end the program."""


def open_missing() -> None:
    """Put something in the place of standard streams that are closed.

    Otherwise the next file or socket that is opened would be one of them. Reading from and writing
    to the first two still fails.
    """
    for descriptor, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            # It gets the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, mode), True)


def prepare() -> None:
    """Replace the streams that Python has opened; those that a program has put there stay."""
    open_missing()
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_Named(0, STDIN)))
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _text(_Named(1, STDOUT), sys.stdout, _as_given)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Dropping(2, "w", closefd=False), sys.stderr, lambda _: _ESCAPED)


_ESCAPED = "backslashreplace"


def _as_given(encoding: str) -> str:
    """What becomes of names of files that are no text: they come out as they are, if they can."""
    return "surrogateescape" if encoding.lower() in ("utf-8", "ascii") else _ESCAPED


def _text(raw: io.RawIOBase, before: TextIO | None, errors: Callable[[str], str]) -> TextIO:
    if before is not None:
        before.flush()
    encoding = "utf-8" if before is None else before.encoding
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=errors(encoding),
        line_buffering=raw.isatty(),
    )


class _Named(io.FileIO):
    """A descriptor whose errors name it. After the first, nothing more is written to it.

    Otherwise Python would write once more what could not be written, when it ends.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "r" if descriptor == 0 else "w", closefd=False)
        self._name = name
        self._failed = False

    def readinto(self, buffer: Any, /) -> int | None:
        """See `io.RawIOBase`."""
        try:
            return super().readinto(buffer)
        except OSError as error:
            error.filename = self._name
            raise

    def readall(self) -> bytes:
        """See `io.RawIOBase`."""
        try:
            return super().readall()
        except OSError as error:
            error.filename = self._name
            raise

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]
        """See `io.RawIOBase`."""
        if self._failed:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:
            self._failed = True
            raise NoReader from None
        except OSError as error:
            self._failed = True
            error.filename = self._name
            raise


class _Dropping(io.FileIO):
    """A descriptor to which writing never fails: what cannot be written is dropped."""

    def write(self, data: Any, /) -> int:
        """See `io.RawIOBase`."""
        try:
            written = super().write(data)
        except OSError:
            written = None
        # None also if the reader is slow and the descriptor does not wait.
        return len(data) if written is None else written
