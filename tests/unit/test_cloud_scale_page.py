"""docs/cloud-scale.md is what the simulations give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cloud_scale.jobs import Account, fan_out
from benchmarks.cloud_scale.rates import TRANSITIONS_OF_CHILD, rates
from benchmarks.cloud_scale.report import render
from benchmarks.cloud_scale.sections import FANOUT_QUOTA, size
from mu.simulation import CLOUD, Fanout

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "cloud-scale.json"


def test_page_is_what_the_results_give() -> None:
    """If this fails, the docs hold a figure that no command reproduces."""
    assert (ROOT / "docs" / "cloud-scale.md").read_text() == render(json.loads(RESULT.read_text()))


def test_page_of_some_sections_alone() -> None:
    """If this fails, --only fails after minutes, at writing the page."""
    for name, section in json.loads(RESULT.read_text()).items():
        assert "What the figures do not say" in render({name: section})


@pytest.mark.parametrize(
    ("resolution", "minutes", "quota"), [("1080p", 1, 10), ("4K", 15, 1000), ("8K", 15, 10_000)]
)
def test_results_are_of_this_code(resolution: str, minutes: int, quota: int) -> None:
    """If this fails, jobs have changed since they were simulated: run `make bench-scale`."""
    [kept] = (
        row
        for row in json.loads(RESULT.read_text())["sizes"]
        if (row["resolution"], row["minutes"], row["quota"]) == (resolution, minutes, quota)
    )
    again = size(resolution, minutes, quota)
    assert again["invocations"] == kept["invocations"]
    # Libraries of other machines may differ in the last digit of a logarithm.
    assert again["seconds"] == pytest.approx(kept["seconds"], rel=0.01)
    assert again["dollars"] == pytest.approx(kept["dollars"], rel=0.01)


@pytest.mark.parametrize("kind", Fanout)
def test_rates_are_those_of_the_simulation(kind: Fanout) -> None:
    """If this fails, the page's arithmetic is of another fan-out than its simulation."""
    batches = 10_000
    account = Account(FANOUT_QUOTA)
    made = fan_out(batches, account, kind)
    told = rates(batches, kind, 1, CLOUD, account.workers.limits.workers)
    begun = max(call.entered for call in made.calls)
    assert begun >= told.start_s - 1
    retries = sum(made.refused.values()) + made.invocations - batches
    if kind is Fanout.INLINE:
        # The rates leave out the outer maps: of all, and of 250 and 7 groups.
        outer = 4 + (4 + 2) * (250 + 7)
        # ExecutionStarted, -Succeeded; the state that ends it.
        assert made.events == 2 + outer + told.history + 2 + 3 * retries
    if kind is Fanout.STANDARD:
        assert made.transitions == 1 + TRANSITIONS_OF_CHILD * batches + 1 + retries
        of_one = made.most_events - told.history
        assert of_one in range(0, 3 * retries + 1, 3)
