"""The timeline of many tasks as one HTML page, which needs nothing but a browser.

A lane for each worker, a bar for each task: how long it waited, when its worker had fetched it, how
long it ran. Above them, how many ran at the same time.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from mu.records import TaskRecord
from mu.whole import whole_file

Which = Callable[[TaskRecord], int | str]

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


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
    script = _asset("timeline.js")
    style = _asset("timeline.css")
    policy = f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}"
    # A closing tag inside the data would end it.
    data = json.dumps(_data(records, which or _number), separators=(",", ":"))
    data = data.replace("<", "\\u003c")
    shown = html.escape(_seen(title))
    about = "".join(f'<p class="about">{html.escape(_seen(line))}</p>\n' for line in lines)
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{shown}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<h1>{shown}</h1>\n{about}{_asset('timeline.html')}"
        f'<script type="application/json" id="records">{data}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _number(record: TaskRecord) -> int:
    return record.number


def _data(records: Sequence[TaskRecord], which: Which) -> dict[str, object]:
    """What the page shows; the columns are in the order that `timeline.js` reads.

    Names, workers and marks are lists, and rows have their places in these, which is shorter.
    """
    ended = [record for record in records if record.finished is not None]
    start = min((record.queued or record.started for record in ended), default=0.0)
    names, workers, marks = _Places(), _Places(), _Places()

    def since(moment: float | None) -> float | None:
        return None if moment is None else round(moment - start, 4)

    def row(record: TaskRecord) -> list[object]:
        one = which(record)
        return [
            names.of(record.name),
            _seen(one) if isinstance(one, str) else one,
            workers.of(record.worker),
            since(record.queued),
            since(record.started),
            since(record.finished),
            record.attempts,
            record.error and _seen(record.error),
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
        return self.setdefault(_seen(text), len(self))


def _seen(text: str) -> str:
    r"""The text with `\u202e` and the like for what would not be seen, or would reorder others."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _asset(name: str) -> str:
    return (resources.files("mu") / "page" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
