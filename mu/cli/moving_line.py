"""One line of a terminal that is written again and again."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import TextIO


class MovingLine:
    """The last line of a terminal; on anything else nothing is shown.

    Args:
        out: where the line goes.
        moving: whether that is a terminal.
    """

    def __init__(self, out: TextIO, moving: bool) -> None:
        self._out = out
        self.moving = moving
        self._width = 0

    def show(self, *texts: str) -> None:
        """Show the first of the texts that fits; if none does, as much of the last as fits."""
        if not self.moving:
            return
        columns = self._columns()
        text = next((one for one in texts if width(one) <= columns), cut(texts[-1], columns))
        used = width(text)
        # What was shown before may be wider than a window that has become smaller.
        self._out.write("\r" + text + " " * (min(self._width, columns) - used))
        self._out.flush()
        self._width = used

    def clear(self) -> None:
        """Remove the line."""
        if self._width:
            self._out.write("\r" + " " * min(self._width, self._columns()) + "\r")
            self._out.flush()
            self._width = 0

    def _columns(self) -> int:
        """Columns that the line may use: the last one would begin a new line."""
        try:
            columns = os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        if columns < 1:  # the terminal does not know
            columns = shutil.get_terminal_size().columns
        return max(0, columns - 1)


def width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(map(_columns_of, text))


def cut(text: str, columns: int) -> str:
    """The beginning of a text that takes at most so many columns."""
    used = 0
    for place, sign in enumerate(text):
        used += _columns_of(sign)
        if used > columns:
            return text[:place]
    return text


def _columns_of(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cc", "Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
