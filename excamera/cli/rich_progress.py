"""Progress on a terminal that can do more than one line; the only file that knows `rich`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any, TextIO

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.text import Text

from excamera.cli.progress import Progress, clock_of, summary_of
from excamera.progress import Cell

_ROWS = 3
_REFRESH_HZ = 8
_SIGNS = {Cell.WAITING: "·", Cell.RUNNING: "▸", Cell.RETRIED: "↻", Cell.DONE: "█"}
_PLAIN_SIGNS = {Cell.WAITING: ".", Cell.RUNNING: ">", Cell.RETRIED: "!", Cell.DONE: "#"}
_STYLES = {Cell.WAITING: "dim", Cell.RUNNING: "yellow", Cell.RETRIED: "magenta", Cell.DONE: "green"}


class RichProgress(Progress):
    """Phases, numbers, and a grid with a cell for each batch, or for some if there are many.

    Args:
        out: a terminal.
        more: see `Progress`.
    """

    def __init__(self, out: TextIO, **more: Any) -> None:
        super().__init__(**more)
        self._console = _Console(file=out, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """See `Progress.say`."""
        self._console.print(Text(text), soft_wrap=True)

    def planned(self, result: dict[str, Any]) -> None:
        """See `Progress.planned`."""
        self.say(summary_of(result))

    def entered(self) -> None:
        """See `Progress.entered`."""
        if self._live is None:
            # Whoever writes to the standard streams writes to them, not to this.
            self._live = Live(
                get_renderable=self._shown, console=self._console, transient=True,
                refresh_per_second=_REFRESH_HZ, redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
        else:
            self._live.refresh()  # a phase may be over before it is shown by itself

    def close(self) -> None:
        """See `Progress.close`."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _shown(self) -> RenderableType:
        """What the terminal shows now."""
        width = self._console.width
        parts = [_phases(self.phases)]
        if self.frames:
            parts += [self._numbers(), *self._grid(width)]
        for part in parts:
            part.no_wrap, part.overflow = True, "crop"
        return Group(*parts)

    def _numbers(self) -> Text:
        done = self.frames_done
        facts = [f"{done:,}/{self.frames:,} frames", f"{100 * done // self.frames}%"]
        if self.left_s is not None:
            facts += [f"{self.fps:.1f} fps", f"{clock_of(self.left_s)} left"]
        if self.bytes:
            facts.append(f"{self.bytes / 1e6:,.1f} MB")
        if self.kbit_s is not None:
            facts.append(f"{self.kbit_s:,.0f} kbit/s")
        if self.retries:
            facts.append(f"{self.retries} tried again")
        return Text("  ".join(facts))

    def _grid(self, width: int) -> list[Text]:
        cells = merged(self.batches, width * _ROWS)
        # A terminal of another encoding would show question marks.
        signs = _SIGNS if self._console.encoding.startswith("utf") else _PLAIN_SIGNS
        rows = []
        for first in range(0, len(cells), width):
            row = Text()
            for cell, run in groupby(cells[first : first + width]):
                row.append(signs[cell] * len(list(run)), _STYLES[cell])
            rows.append(row)
        return rows


def merged(cells: Sequence[Cell], room: int) -> list[Cell]:
    """As many cells as there is room for; each stands for equally many batches, or nearly.

    A cell is done if all of its batches are, and waits if all do. Otherwise it runs; or it is tried
    again, if one of them is.
    """
    count = min(len(cells), room)
    found: list[Cell] = []
    for number in range(count):
        some = set(cells[len(cells) * number // count : len(cells) * (number + 1) // count])
        if len(some) == 1:
            found += some
        else:
            found.append(Cell.RETRIED if Cell.RETRIED in some else Cell.RUNNING)
    return found


def _phases(phases: Sequence[str]) -> Text:
    text = Text()
    for number, phase in enumerate(phases):
        last = number == len(phases) - 1
        text.append(phase if last else f"{phase}, ", "bold" if last else "dim")
    return text


class _Console(Console):
    """A console that knows its own width, and leaves the cursor as it is."""

    @property  # type: ignore[misc]  # nobody here sets it
    def size(self) -> ConsoleDimensions:
        """Columns and lines of the terminal that is written to, whatever the environment says."""
        try:
            return ConsoleDimensions(*os.get_terminal_size(self.file.fileno()))
        except (OSError, ValueError):
            return super().size

    def show_cursor(self, show: bool = True) -> bool:
        """Do nothing: nobody could show it again after a SIGKILL."""
        del show
        return False
