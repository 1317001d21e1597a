"""Environments that a job has made before it needs them."""

from __future__ import annotations

import time

import pytest

from excamera.job.environments import AT_START, MOST, WORTH_PIXELS, calls_for, for_batches
from excamera.lifecycle import warming


def test_a_film_in_spans_gets_all_that_its_batches_need() -> None:
    """If this fails, batches of a long film wait for environments, or more are made than needed."""
    found = for_batches(shares=555, ahead=111, spans=178, pixels=10**11, workers=997)
    assert found == {"anchors": 111, "encode": 555}
    assert for_batches(shares=40, ahead=0, spans=12, pixels=10**10, workers=997) == {"encode": 40}


@pytest.mark.parametrize("workers", [1, 2, 7, 97, 997, 9_997])
@pytest.mark.parametrize("spans", [0, 2, 178, 1000])
def test_they_leave_room_for_those_that_work(workers: int, spans: int) -> None:
    """If this fails, surveys are refused because of calls that do nothing."""
    found = for_batches(shares=20_000, ahead=6_000, spans=spans, pixels=10**12, workers=workers)
    # The sound and the plan run beside the surveys.
    assert sum(found.values()) <= max(0, workers - min(spans, workers) - 2)
    assert all(0 < count <= MOST for count in found.values())


def test_a_film_whose_batches_begin_at_once_gets_none() -> None:
    """If this fails, a short film pays for environments that begin after those it waits for."""
    few = {"shares": 3, "ahead": 1, "spans": 0, "workers": 997}
    assert for_batches(**few, pixels=WORTH_PIXELS - 1) == {}
    assert for_batches(**few, pixels=WORTH_PIXELS) == {"anchors": 1, "encode": 3}


def test_calls_are_counted() -> None:
    """If this fails, an estimate does not have the calls that make environments."""
    assert calls_for(AT_START) == 4
    assert calls_for({}) == 0


def test_a_call_is_held_until_the_last_one_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, one environment answers several calls, or late ones are paid for waiting."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "time", lambda: 100.0)
    for moment in (100.5, 99.0):
        answer = warming.answer(warming.request_until(moment), "one")
        assert answer is not None
        assert answer["environment"] == "one"
    assert slept == [0.5, 0.0]
    assert warming.answer({"event": {}}, "one") is None
