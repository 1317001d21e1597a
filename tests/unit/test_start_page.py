"""docs/start.md is what the results render to."""

import json
from pathlib import Path

from benchmarks.start.hops import Counted, counted, hops, job
from benchmarks.start.report import render
from excamera.job.steps import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "start.json"


def test_page_is_what_the_results_give():
    """A figure in the docs would be one that no command reproduces."""
    assert (ROOT / "docs" / "start.md").read_text() == render(json.loads(RESULT.read_text()))


def test_every_function_is_measured():
    """A new function may begin as slowly as it likes."""
    measured = set(json.loads(RESULT.read_text())["imports"]["functions"])
    assert measured >= {one.name for one in FUNCTIONS}


def test_the_way_to_the_first_picture_is_counted():
    """A further call, state or request delays every job, and nobody sees it."""
    assert counted() == Counted(calls=5, states=10, requests=22)
    # A hop that is left out would make the page promise too much.
    first = min(call.began for call in job(warm=True).result.calls if call.task == "encode")
    assert abs(sum(hop.seconds for hop in hops(warm=True)) - first) < 1e-6
