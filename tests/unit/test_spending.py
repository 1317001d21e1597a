"""No job goes on that would cost more than the stack's owner wants to pay."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from excamera.errors import JobTooExpensive, MonthTooExpensive
from excamera.lifecycle import shared
from excamera.lifecycle.spending import check_job, commit, settle
from mu import MemoryStore

NOVEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, 0, 10, tzinfo=UTC)


def test_a_job_that_costs_too_much_is_refused() -> None:
    """If this fails, `max_usd_per_job` stops nothing, or stops what is allowed."""
    check_job(0.5, 0)
    check_job(0.5, 0.5)
    with pytest.raises(JobTooExpensive, match=r"\$0\.5100.*\$0\.5.*max_usd_per_job"):
        check_job(0.51, 0.5)


def test_a_month_counts_what_was_spent_and_what_runs() -> None:
    """If this fails, jobs that start together spend more than a month may cost."""
    store = MemoryStore()
    commit("one", 4.0, 10, store, NOVEMBER)
    commit("two", 4.0, 10, store, NOVEMBER)
    with pytest.raises(MonthTooExpensive, match=r"2026-11 has cost \$8\.0000.*max_usd_per_month"):
        commit("three", 4.0, 10, store, NOVEMBER)
    settle("one", 1.0, store, NOVEMBER)  # it cost less than expected
    commit("three", 4.0, 10, store, NOVEMBER)
    commit("three", 5.0, 10, store, NOVEMBER)  # it begins again
    with pytest.raises(MonthTooExpensive):
        commit("four", 1.0, 10, store, NOVEMBER)


def test_an_end_counts_once() -> None:
    """If this fails, an event that comes twice makes a month look more expensive than it was."""
    store = MemoryStore()
    commit("one", 4.0, 10, store, NOVEMBER)
    for _ in range(2):
        settle("one", 3.0, store, NOVEMBER)
    assert shared.read("spending/2026-11.json", store) == {"spent_usd": 3.0, "expected_usd": {}}


def test_a_job_belongs_to_the_month_in_which_it_began() -> None:
    """If this fails, a job over midnight stays expected for ever, or a new month starts spent."""
    store = MemoryStore()
    commit("late", 9.0, 10, store, NOVEMBER)
    settle("late", 8.0, store, DECEMBER)
    assert shared.read("spending/2026-11.json", store) == {"spent_usd": 8.0, "expected_usd": {}}
    commit("next", 9.0, 10, store, DECEMBER)


def test_without_a_limit_nothing_is_counted() -> None:
    """If this fails, every job of every stack writes to one object."""
    store = MemoryStore()
    commit("one", 4.0, 0, store, NOVEMBER)
    assert not store.list()
