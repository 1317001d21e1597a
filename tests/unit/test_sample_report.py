"""The report that is a page of the documentation."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import pytest

from docs.sample_report import MOST_BYTES, PAGE
from excamera.report.facts import Report, Run
from excamera.report.making import Made
from excamera.report.measure import Taken
from excamera.report.page import report_page

AGAIN = "run `python -m docs.sample_report` again"
DATA = re.compile(r'<script type="application/json" id="(\w+)">(.*?)</script>\n', re.DOTALL)


@pytest.fixture(scope="module")
def text() -> str:
    """The page."""
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(text: str) -> dict[str, Any]:
    """The data in it, by the id of its element."""
    return {name: json.loads(value) for name, value in DATA.findall(text)}


def test_it_is_what_reports_are_now(text: str) -> None:
    """If this fails, the documentation shows a page that `excamera report` does not write."""
    none = Taken({}, {}, {})
    report = Report("A sample film", "", {}, "", [Run("a")])
    now = report_page(Made(report, none, [none]))
    assert DATA.sub("", text) == DATA.sub("", now), AGAIN


def test_it_is_whole_and_small(text: str, data: dict[str, Any]) -> None:
    """If this fails, the page lacks a part of what reports show, or makes each clone larger."""
    assert len(text.encode()) <= MOST_BYTES
    [run] = data["report"]["runs"]
    assert run["frame_count"] == 144
    assert run["quality"]["frames"] == 144
    assert len(run["batches"]) > 1
    assert all(batch["states"] for batch in run["batches"])
    assert {"key", "anchor", "ordinary"} <= run["roles"].keys()
    assert run["predicted"]
    assert run["actual"]
    assert len(data["pictures"]["views"]) >= 4
    for view in data["pictures"]["views"].values():
        assert view["source"]
        assert view["runs"][0]["difference"]
    [tasks] = data["tasks"]
    rows = json.loads(zlib.decompress(base64.b64decode(tasks)))
    assert {"plan", "encode", "stitch"} <= set(rows["names"])


def test_it_tells_nothing_of_whose_machine_made_it(data: dict[str, Any]) -> None:
    """If this fails, a folder of somebody's machine is in the documentation."""
    [tasks] = data.pop("tasks")
    del data["pictures"], data["report"]["runs"][0]["frames"]  # packed, with / in them
    rows = zlib.decompress(base64.b64decode(tasks)).decode()
    for one in (json.dumps(data), rows):
        assert not re.search(r"(?<![\w.])/\w[\w.-]*/|[A-Za-z]:\\\\|file:", one)
