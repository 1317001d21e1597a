"""A report as one HTML page, which needs nothing but a browser."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from excamera.job.page import which
from excamera.places import written
from excamera.report.facts import EQUAL_DB, Frames, Run
from excamera.report.making import Made
from excamera.report.measure import Taken
from mu.timeline_page import MARKUP, SCRIPT, STYLE, rows_of
from mu.web_page import asset, seen, web_page

_NO_QUALITY = 0xFFFF
_NO_STEP = 0xFF
_PER_DB = 100


def write_report(path: Path, made: Made) -> None:
    """Write the page; it appears whole, or not at all. A page of before is replaced.

    Raises:
        DiskFull: its folder takes no more.
        OutputError: it cannot be written for another reason.
    """
    text = report_page(made)
    with written(path) as part:
        part.write_text(text, encoding="utf-8")


def report_page(made: Made) -> str:
    """The page as text."""
    report = made.report
    data = {
        **report.heading(),
        "runs": [{**run.without_tasks(), "frames": _packed(run.frames)} for run in report.runs],
    }
    return web_page(
        title=report.title,
        body=asset(MARKUP) + _report_asset("report.html"),
        styles=[asset(STYLE), asset("chart.css"), _report_asset("report.css")],
        scripts=[
            asset(SCRIPT),
            asset("chart.js"),
            *(_report_asset(name) for name in ("frames.js", "pictures.js", "report.js")),
        ],
        data={
            "report": _visible(data),
            "tasks": [_tasks(run) for run in report.runs],
            "pictures": {
                "thumbs": _encoded(made.source.thumbs),
                "views": {
                    str(number): {
                        "source": _one(made.source.views, number),
                        "runs": [_views(one, number) for one in made.results],
                    }
                    for number in report.pictured
                },
            },
        },
    )


def _tasks(run: Run) -> str | None:
    """The rows of a timeline as JSON, deflated; None without any."""
    if not run.records:
        return None
    rows = rows_of(run.records, which if run.is_film else None)
    return _deflated(json.dumps(rows, separators=(",", ":")).encode())


def _packed(frames: Frames) -> dict[str, Any]:
    """The frames as columns of numbers, see `_column`: a fiftieth of JSON's size."""
    types, roles = _names(frames.type), _names(frames.role)
    return {
        "count": frames.count,
        "types": types,
        "roles": roles,
        "time_ms": _times(frames.time_s),
        "bytes": _column(frames.bytes, "<u4"),
        "hidden_bytes": _column(frames.hidden_bytes, "<u4") if any(frames.hidden_bytes) else "",
        "type": _column(map(types.index, frames.type), "<u1"),
        "role": _column(map(roles.index, frames.role), "<u1"),
        "y_ac_qi": _column((_NO_STEP if one is None else one for one in frames.y_ac_qi), "<u1"),
        "psnr": _column(map(_hundredths, frames.psnr_db), "<u2"),
        "ssim": _column(map(_hundredths, frames.ssim_db), "<u2"),
    }


def _names(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _hundredths(decibels: float | None) -> int:
    return _NO_QUALITY if decibels is None else round(min(decibels, EQUAL_DB) * _PER_DB)


def _times(times: Sequence[float | None]) -> str:
    known = [time for time in times if time is not None]
    if len(known) != len(times):
        return ""
    # Times before 0 stay before those behind it.
    return _column((max(0, round(1000 * time)) for time in known), "<u4")


def _column(values: Iterable[int], kind: str) -> str:
    """Numbers, little-endian: all their first bytes, then all second ones, and so on; deflated."""
    numbers = np.fromiter(values, np.dtype(kind))
    planes = numbers.view(np.uint8).reshape(len(numbers), numbers.itemsize).T
    return _deflated(planes.tobytes())


def _deflated(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _encoded(pictures: Mapping[int, bytes]) -> dict[str, str]:
    return {str(at): base64.b64encode(one).decode() for at, one in sorted(pictures.items())}


def _one(pictures: Mapping[int, bytes], number: int) -> str | None:
    return base64.b64encode(pictures[number]).decode() if number in pictures else None


def _views(film: Taken, number: int) -> dict[str, str | None]:
    return {"view": _one(film.views, number), "difference": _one(film.differences, number)}


def _visible(value: Any) -> Any:
    """The same with all text as `seen` makes it."""
    if isinstance(value, str):
        return seen(value)
    if isinstance(value, Mapping):
        return {seen(str(name)): _visible(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_visible(one) for one in value]
    return value


def _report_asset(name: str) -> str:
    return asset(name, "excamera.report")
