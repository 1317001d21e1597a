"""The timeline of many tasks as one HTML page, which needs nothing but a browser.

A lane for each worker, a bar for each task: how long it waited, when its worker had fetched it, how
long it ran. Above them, how many ran at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mu.records import TaskRecord
from mu.web_page import asset, seen, web_page
from mu.whole import whole_file

Which = Callable[[TaskRecord], int | str]

STYLE, MARKUP, SCRIPT = "timeline.css", "timeline.html", "timeline.js"
"""The component that other pages show timelines with, too: `timeline(element, rows)`."""


def write_page(
    path: Path,
    records: Sequence[TaskRecord],
    *,
    title: str,
    lines: Sequence[str] = (),
    which: Which | None = None,
) -> None:
    """Write the page; it appears whole, or not at all. A page of before is replaced.

    Args:
        path: of the page.
        records: of tasks that have ended.
        title: of the page.
        lines: about the run, below the title.
        which: tells a task from others of its name; None for its number.
    """
    text = page(records, title=title, lines=lines, which=which)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def page(
    records: Sequence[TaskRecord],
    *,
    title: str,
    lines: Sequence[str] = (),
    which: Which | None = None,
) -> str:
    """The page as text; see `write_page`."""
    return web_page(
        title=title,
        body=f'{asset(MARKUP)}<div id="timeline"></div>\n',
        lines=lines,
        styles=[asset(STYLE)],
        scripts=[asset(SCRIPT), 'timeline(byId("timeline"), dataOf("records"));\n'],
        data={"records": rows_of(records, which)},
    )


def _number(record: TaskRecord) -> int:
    return record.number


def rows_of(records: Sequence[TaskRecord], which: Which | None = None) -> dict[str, object]:
    """What the component shows; the columns are in the order that `timeline.js` reads.

    Names, workers and marks are lists, and rows have their places in these, which is shorter.

    Args:
        records: see `write_page`.
        which: see `write_page`.
    """
    which = which or _number
    ended = [record for record in records if record.finished is not None]
    start = min((record.queued or record.started for record in ended), default=0.0)
    names, workers, marks = _Places(), _Places(), _Places()

    def since(moment: float | None) -> float | None:
        return None if moment is None else round(moment - start, 4)

    def row(record: TaskRecord) -> list[object]:
        one = which(record)
        return [
            names.of(record.name),
            seen(one) if isinstance(one, str) else one,
            workers.of(record.worker),
            since(record.queued),
            since(record.started),
            since(record.finished),
            record.attempts,
            record.error and seen(record.error),
            float(f"{record.dollars:.6g}"),
            record.memory_mb,
            record.peak_memory_mib,
            [[marks.of(name), since(moment)] for name, moment in record.marks.items()],
        ]

    rows = [row(record) for record in ended]
    return {
        "names": list(names),
        "workers": list(workers),
        "marks": list(marks),
        "start": start,
        "rows": rows,
    }


class _Places(dict[str, int]):
    """The place of each text among all, in the order in which they came."""

    def of(self, text: str) -> int:
        return self.setdefault(seen(text), len(self))
