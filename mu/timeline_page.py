"""The timeline of many tasks as one HTML page, which needs nothing but a browser.

A lane for each worker, a bar for each task: how long it waited, when its worker had fetched it, how
long it ran. Above them, how many ran at the same time.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from mu.records import TaskRecord


def write_page(path: Path, records: Sequence[TaskRecord], *, title: str) -> None:
    """Write the page; it appears whole, or not at all.

    Args:
        path: of the page.
        records: of tasks that have ended.
        title: of the page.
    """
    path = path.absolute()
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        try:
            file.write(page(records, title=title))
            file.flush()
            Path(file.name).chmod(0o666 & ~_umask())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def page(records: Sequence[TaskRecord], *, title: str) -> str:
    """The page as text."""
    script = _asset("timeline.js")
    style = _asset("timeline.css")
    policy = f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}"
    # A closing tag inside the data would end it.
    data = json.dumps(_rows(records), separators=(",", ":")).replace("<", "\\u003c")
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n{_asset('timeline.html')}"
        f'<script type="application/json" id="records">{data}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _rows(records: Sequence[TaskRecord]) -> list[list[object]]:
    """What the page shows of each record, in the order that `timeline.js` reads."""
    start = min((record.queued or record.started for record in records), default=0.0)

    def since(moment: float | None) -> float | None:
        return None if moment is None else round(moment - start, 4)

    return [
        [
            record.name,
            record.number,
            record.worker,
            since(record.queued),
            since(record.started),
            since(record.finished),
            record.attempts,
            record.error,
            record.dollars,
            record.memory_mb or record.peak_memory_mib,
            {name: since(moment) for name, moment in record.marks.items()},
        ]
        for record in records
        if record.finished is not None
    ]


def _asset(name: str) -> str:
    return (resources.files("mu") / "page" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
