"""A stop for spending: no job goes on that the stack's owner does not want to pay for.

A job's cost is estimated as soon as its frames are known, before any of its workers start. What a
month costs is what its finished jobs cost, and what those that run are expected to cost. It is in
the store, as ``spending/2026-11.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from excamera.errors import JobTooExpensive, MonthTooExpensive
from excamera.lifecycle import shared
from mu import Store

_SPENT, _EXPECTED = "spent_usd", "expected_usd"


def check_job(usd: float, most_usd: float) -> None:
    """Refuse a job that is expected to cost too much.

    Args:
        usd: its estimated cost, in dollars.
        most_usd: the most that a job may cost; 0 for no limit.

    Raises:
        JobTooExpensive: it is more.
    """
    if most_usd and usd > most_usd:
        raise JobTooExpensive(
            f"the job is expected to cost ${usd:.4f}; the stack allows ${most_usd:g} for a job "
            "(setting max_usd_per_job)"
        )


def commit(job: str, usd: float, most_usd: float, store: Store, now: datetime) -> None:
    """Count a job that begins as a part of what its month costs.

    Args:
        job: its name.
        usd: its estimated cost, in dollars.
        most_usd: the most that a month may cost; 0 for no limit, and then nothing is counted.
        store: the jobs'.
        now: the time.

    Raises:
        MonthTooExpensive: with this job the month would cost more.
    """
    if not most_usd:
        return

    def add(month: shared.Fields) -> None:
        expected = month.setdefault(_EXPECTED, {})
        expected.pop(job, None)  # it begins again
        before = month.setdefault(_SPENT, 0.0) + sum(expected.values())
        if before + usd > most_usd:
            raise MonthTooExpensive(
                f"the job is expected to cost ${usd:.4f}; {_month(now)} has cost ${before:.4f} so "
                f"far, with the jobs that run, and the stack allows ${most_usd:g} a month "
                "(setting max_usd_per_month)"
            )
        expected[job] = usd

    shared.change(_key(_month(now)), store, add)


def settle(job: str, usd: float, store: Store, now: datetime) -> None:
    """Count what a job that has ended did cost, in place of what was expected; once for each start.

    Args:
        job: its name.
        usd: dollars, without those that were counted when it ended before.
        store: the jobs'.
        now: the time.
    """

    def replace(month: shared.Fields) -> bool:
        if month.get(_EXPECTED, {}).pop(job, None) is None:
            return False
        month[_SPENT] += usd
        return True

    for month in _months(now):
        if shared.change(_key(month), store, replace):
            return


def _months(now: datetime) -> Iterator[str]:
    """This month and the one before, in which a job may have begun."""
    yield _month(now)
    yield f"{now.year - 1}-12" if now.month == 1 else f"{now.year}-{now.month - 1:02d}"


def _month(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y-%m}"


def _key(month: str) -> str:
    return f"spending/{month}.json"
