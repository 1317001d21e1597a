"""docs/cloud-overhead.md is what the results render to."""

import json
from pathlib import Path

from benchmarks.cloud.report import render

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "cloud.json"


def test_page_is_what_the_results_give():
    """The docs would hold a figure that no command reproduces."""
    assert (ROOT / "docs" / "cloud-overhead.md").read_text() == render(
        json.loads(RESULT.read_text())
    )
