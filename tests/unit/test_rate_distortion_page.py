"""docs/rate-distortion.md is what the results render to."""

import json
from pathlib import Path

from benchmarks.quality.report import render

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "rate-distortion.json"


def test_page_is_what_the_results_give():
    """The docs would hold a figure that no command reproduces."""
    assert (ROOT / "docs" / "rate-distortion.md").read_text() == render(
        json.loads(RESULT.read_text())
    )
