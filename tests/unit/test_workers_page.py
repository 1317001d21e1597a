"""docs/workers.md is what the results render to, and the benchmark runs."""

import json
from pathlib import Path

from benchmarks.workers import calls, many, start
from benchmarks.workers.report import render

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "workers.json"


def test_page_is_what_the_results_give():
    """A figure in the docs would be one that no command reproduces."""
    assert (ROOT / "docs" / "workers.md").read_text() == render(json.loads(RESULT.read_text()))


def test_what_is_measured_can_be_shown():
    """The benchmark would fail after minutes of measuring, or at writing the page."""
    made = {
        "commit": "c", "date": "d", "cpu": "c", "cpus": 1, "load_before": 0, "load_after": 0,
        "rounds": 2, "python": "3", "lithops": "1",
    }  # fmt: skip
    result = {
        "calls": {"workers": 1, "kinds": calls.measure(1, 2, True, None), "lithops_start_s": None},
        "start": {"found": start.measure((1,), 1)},
        "many": {"found": many.measure(1, 1, True)},
    }
    page = render({name: {"circumstances": made, **found} for name, found in result.items()})
    assert "| map, chunksize 32 |" in page
    assert "| map, 1,000 items, chunksize 32 |" in page
    assert "Lithops was not installed." in page
