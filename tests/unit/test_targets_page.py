"""docs/targets.md is what the measurements give."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.targets.report import DOC, render

RESULT = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "targets.json"


def test_page_is_what_the_results_give() -> None:
    """If this fails, the docs hold a figure that no command reproduces."""
    assert DOC.read_text() == render(json.loads(RESULT.read_text()))


def test_rates_and_sizes_are_met_within_three_percent() -> None:
    """If this fails, `--bitrate` and `--size` promise more than was measured."""
    for name, case in json.loads(RESULT.read_text()).items():
        if case["kind"] in ("bitrate", "size"):
            assert abs(case["reached"] / case["wanted"] - 1) <= 0.03, name
