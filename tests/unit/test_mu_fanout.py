"""How the bodies of a map are begun."""

from __future__ import annotations

import pytest

from excamera.job.flow import excamera_flow, way_of_batches, way_of_spans
from excamera.job.packing import Cut, Limits
from mu import Each, FlowError, Task
from mu.fanout import DISTRIBUTED, MOST_AT_ONCE, NOTHING, SPREAD, way_of
from mu.flow import check, walk

BODY = Task("square", "square")


@pytest.mark.parametrize(
    ("bodies", "at_once", "width", "most", "way"),
    [
        (0, 1, 1, 1000, NOTHING),
        (0, 1, 1, 0, NOTHING),
        (1, 1, 1, 0, DISTRIBUTED),
        (1, 1, 1, 1, SPREAD),
        (222, 249, 4, 1000, SPREAD),
        (222, 249, 4, 887, DISTRIBUTED),
        (251, 251, 4, 10_000, DISTRIBUTED),  # one function has not so many connections
        (1000, 1000, 1, 1000, SPREAD),
        (1001, 1001, 1, 1000, DISTRIBUTED),
        # One after another, within the time of one call.
        (28, 7, 1, 1000, SPREAD),
        (29, 7, 1, 1000, DISTRIBUTED),
    ],
)
def test_what_one_function_can_wait_for_is_spread(
    bodies: int, at_once: int, width: int, most: int, way: str
) -> None:
    """If this fails, a function begins more than it can, or a map gathers for nothing."""
    assert way_of(bodies, at_once=at_once, width=width, most_calls=most) == way


def test_lists_of_jobs_are_spread_within_the_account() -> None:
    """If this fails, the published film waits for children, or a job of hours for one function."""
    account = Limits(concurrency=997)
    film = Cut(222, 16, 96 * 3840 * 2160)
    assert way_of_batches(222, account, account.pack(film)) == SPREAD
    assert way_of_spans(200, account) == SPREAD
    again = Limits(concurrency=997, spread_calls=0)
    assert way_of_batches(222, again, again.pack(film)) == DISTRIBUTED
    assert way_of_spans(200, again) == DISTRIBUTED
    large = Limits(concurrency=9_997)
    assert way_of_batches(222, large, large.pack(film)) == DISTRIBUTED
    few = Limits(concurrency=7)
    assert way_of_batches(222, few, few.pack(film)) == DISTRIBUTED
    for limits in (account, large, few):
        packing = limits.pack(film)
        calls = min(222, packing.batches_at_once) * packing.shares_at_once
        assert calls <= MOST_AT_ONCE or way_of_batches(222, limits, packing) == DISTRIBUTED


def test_maps_that_cannot_be_spread_are_refused() -> None:
    """If this fails, a flow is deployed whose maps have no second way."""
    inner = Each("inner", "$.items", BODY, distributed=True)
    for node, words in (
        (Each("map", "$.items", BODY, way="$.way"), "way is for a distributed map"),
        (Each("map", "$.items", inner, distributed=True, way="$.way"), "may be spread"),
        (Each("map", "$.items", BODY, distributed=True, way="$way"), "is not a path"),
    ):
        with pytest.raises(FlowError, match=words):
            check(node, {"square": "x:y"})
    maps = [one for one in walk(excamera_flow()) if isinstance(one, Each) and one.way]
    assert {one.name for one in maps} == {"spans", "batches"}
