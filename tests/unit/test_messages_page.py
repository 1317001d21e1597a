"""docs/messages.md is what the results render to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.messages.report import render
from benchmarks.messages.requests import WORKERS, dollars, of_large, terms

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "messages.json"


def test_page_is_what_the_results_give() -> None:
    """If this fails, the docs hold a figure that no command reproduces."""
    assert (ROOT / "docs" / "messages.md").read_text() == render(json.loads(RESULT.read_text()))


def test_page_of_some_sections_alone() -> None:
    """If this fails, --only fails after minutes of measuring, at writing the page."""
    for name, section in json.loads(RESULT.read_text()).items():
        assert "## How it was measured" in render({name: section})


def test_counts_of_two_gangs_give_those_of_a_large_one() -> None:
    """If this fails, the price of a large gang is not that of what was counted."""
    assert terms(4 * 3, 8 * 3) == {"member": 3, "pair": 0}
    assert terms(4 * 3 + 16 * 2, 8 * 3 + 64 * 2) == {"member": 3, "pair": 2}
    assert of_large({"member": 3, "pair": 0}) == 3 * WORKERS
    assert of_large({"member": 3, "pair": 2}) == 3 * WORKERS + 2 * WORKERS**2
    # A few more questions in the larger gang are not a question for each pair.
    assert of_large(terms(4 * 3, 8 * 3 + 2)) == pytest.approx(3.5 * WORKERS, rel=0.1)


def test_requests_have_their_published_prices() -> None:
    """If this fails, a cost is wrong."""
    million = {"writes": 0.0, "reads": 0.0, "commands": 0.0}
    assert dollars({**million, "writes": 1e6}) == pytest.approx(5)
    assert dollars({**million, "reads": 1e6}) == pytest.approx(0.4)
    assert dollars({**million, "commands": 1e6}) == pytest.approx(0.0023)
