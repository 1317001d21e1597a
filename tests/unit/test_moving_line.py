"""The line of progress that is written again and again."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from mu.cli.moving_line import MovingLine, cut, width
from tests.support.commands import resize


class Terminal:
    """A terminal and the program's end of it."""

    def __init__(self, out: TextIO, screen: int) -> None:
        self.out = out
        self._screen = screen

    def resize(self, columns: int) -> None:
        """Give it a width."""
        resize(self._screen, columns)

    def shown(self) -> str:
        """What was written since the last time."""
        return os.read(self._screen, 4096).decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal."""
    screen, ours = pty.openpty()
    with os.fdopen(ours, "w", encoding="utf-8") as out:
        yield Terminal(out, screen)
    os.close(screen)


def test_the_first_text_that_fits_is_shown(terminal: Terminal) -> None:
    """If this fails, a line wraps in a narrow window, and the next ones scroll it away."""
    line = MovingLine(terminal.out, True)
    for columns, shown in ((40, "[###] half of it"), (16, "half of it"), (11, "half of it"),
                           (10, "half of i"), (1, "")):  # fmt: skip
        terminal.resize(columns)
        line.show("[###] half of it", "half of it")
        assert terminal.shown().strip("\r ") == shown.strip()


def test_what_was_longer_is_drawn_over_within_the_window(terminal: Terminal) -> None:
    """If this fails, ends of old lines stay, or a smaller window wraps the blanks."""
    line = MovingLine(terminal.out, True)
    terminal.resize(40)
    line.show("a long text")
    assert terminal.shown() == "\ra long text"
    line.show("short")
    assert terminal.shown() == "\rshort      "
    line.show("a long text")
    terminal.shown()
    terminal.resize(8)
    line.show("short")
    assert terminal.shown() == "\rshort  "
    line.clear()
    assert terminal.shown() == "\r     \r"


def test_a_terminal_that_does_not_know_its_width(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, nothing is shown on a serial line, or it wraps."""
    terminal.resize(0)
    line = MovingLine(terminal.out, True)
    monkeypatch.delenv("COLUMNS", raising=False)
    line.show("x" * 200)
    assert terminal.shown() == "\r" + "x" * 79
    monkeypatch.setenv("COLUMNS", "20")
    line.show("y" * 200)
    assert terminal.shown() == "\r" + "y" * 19


def test_wide_signs_count_twice_and_marks_not_at_all() -> None:
    """If this fails, a line with a name in Chinese or Arabic wraps."""
    assert width("encode") == 6
    assert width("電影") == 4
    assert width("e\u0301\u200d") == 1
    assert cut("電影", 3) == "電"
    assert cut("e\u0301a", 1) == "e\u0301"
    assert cut("short", 10) == "short"
