"""When the bodies of a map run inline, and what they may leave in a history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from excamera.job.flow import ways_of_batches, ways_of_spans
from excamera.job.packing import Limits, Packing
from mu import DISCARD, DirectoryStore, Each, Executor, FlowError, Parallel, Sequence, Task
from mu.fanout import (
    ATTEMPTS,
    ATTEMPTS_OF_RECORDER,
    MOST_AT_ONCE,
    MOST_BYTES,
    MOST_EVENTS,
    fan_out,
    items_of,
    load_of,
)
from mu.flow import check
from tests.unit.task_functions import FUNCTIONS

TASK = 5 + 3 * ATTEMPTS + 5 + 3 * ATTEMPTS_OF_RECORDER
MANY = 10**9
BODY = Task("square", "square")


def a_map(body: Any = BODY, item: Any = None, **options: Any) -> Each:
    """Returns a map that may run inline."""
    return Each(
        "map", "$.items", body, item or {"x": "$item"}, distributed=True, inline="$.ways",
        **options,
    )  # fmt: skip


def test_the_worst_history_is_counted_along_the_flow() -> None:
    """If this fails, a job that runs inline ends because its history has 25,000 events."""
    ahead = Each("ahead", "$.ahead", Task("first", "square"))
    shares = Each("shares", "$.shares", BODY)
    beside = Parallel("both", {"one": Task("one", "square"), "other": Task("other", "square")})
    batch = Sequence("batch", (ahead, shares, beside))
    node = a_map(batch, {"ahead": "$item.a", "shares": "$item.s", "job": "$.job"})
    items = [{"a": [], "s": [0]}, {"a": [1], "s": [0, 1, 2]}]
    found = load_of(node, items)
    assert found.calls == (1 + 2) + (1 + 3 + 2)
    # The choice, the map, a group; each iteration, its two maps, their iterations, the parallel.
    around = 2 + 4 + 6 + 2 * (2 + 4 + 4 + 4) + 5 * 2
    assert found.events == around + found.calls * TASK


@pytest.mark.parametrize(
    ("count", "at_once", "most_calls", "way"),
    [
        (0, 1, 1, "items"),
        (0, 1, 0, None),
        (40, 1, MANY, "items"),  # they take turns in the map, as they would in a distributed one
        (41, 40, MANY, None),
        (41, 41, MANY, "groups"),
        (41, 41, 40, None),
        (41, 41, 41, "groups"),
        (400, 10_000, MANY, "groups"),
    ],
)
def test_few_bodies_run_inline(count: int, at_once: int, most_calls: int, way: str | None) -> None:
    """If this fails, bodies wait for places in an inline map that a distributed one has."""
    node, items = a_map(), list(range(count))
    found = fan_out(node, items, at_once=at_once, most_calls=most_calls)
    assert list(found) == ([] if way is None else [way])
    assert items_of(found) == (None if way is None else items)
    assert all(len(group) <= MOST_AT_ONCE for group in found.get("groups", ()))


def test_what_fills_a_history_or_an_event_is_distributed() -> None:
    """If this fails, Step Functions ends a job whose maps were to be faster."""
    node = a_map()
    most = max(n for n in range(1600) if load_of(node, range(n)).events <= MOST_EVENTS)
    assert 600 < most < 1599
    many = {"at_once": MANY, "most_calls": MANY}
    assert fan_out(node, list(range(most)), **many)
    assert not fan_out(node, list(range(most + 1)), **many)
    other = load_of(node, range(9)).events
    assert fan_out(node, list(range(most - 20)), **many, events=other)
    assert not fan_out(node, list(range(most)), **many, events=other)
    assert fan_out(node, ["x" * (MOST_BYTES - 4)], **many)
    assert not fan_out(node, ["x" * (MOST_BYTES - 3)], **many)


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(1, 20), st.booleans(), st.integers(0, 1600))
def test_a_jobs_lists_share_one_history(
    batches: int, shares: int, anchored: bool, spans: int
) -> None:
    """If this fails, spans and batches fit each alone, and together they fill the history."""
    limits = Limits(inline_calls=1600)
    packing = Packing(shares, 2000, shares)
    items = [packing.item(number, 20, anchored=anchored) for number in range(batches)]
    found = ways_of_batches(items, spans, limits, packing)
    surveys = ways_of_spans(list(range(spans)), limits)
    assert items_of(surveys) in (None, list(range(spans)))
    if found:
        assert items_of(found) == items
        calls = batches * (shares + int(anchored and shares > 1))
        assert calls <= 1600
        assert (calls + spans * bool(surveys)) * (TASK + 2) < MOST_EVENTS
    one_by_one = Limits(inline_calls=0)
    assert not ways_of_batches(items, spans, one_by_one, packing)


def test_flows_that_cannot_run_inline_are_refused() -> None:
    """If this fails, a flow runs on one machine and not in the cloud."""
    inner = Each("inner", "$.x", Task("deep", "square"), distributed=True)
    for node, words in (
        (Each("map", "$.items", BODY, inline="$.ways"), "inline is for a distributed map"),
        (a_map(item={"x": "$item", "n": "$index"}), r"no \$index"),
        (a_map(inner), "may be inline"),
    ):
        with pytest.raises(FlowError, match=words):
            check(node, FUNCTIONS)


@pytest.mark.parametrize("most_calls", [0, MANY])
@pytest.mark.parametrize("count", [3, 50])
def test_one_machine_runs_the_list_whatever_its_way(
    tmp_path: Path, most_calls: int, count: int
) -> None:
    """If this fails, few items give another result on this machine than many."""
    node = a_map(output=DISCARD)
    items = list(range(count))
    ways = fan_out(node, items, at_once=MANY, most_calls=most_calls)
    assert bool(ways) == bool(most_calls)
    event = {"ways": ways, "items": items}
    with Executor(workers=1, store=DirectoryStore(tmp_path)) as executor:
        run = executor.start(node, event, functions=FUNCTIONS)
        assert run.result() == event
        assert sorted(record.event["x"] for record in run.records()) == items
