"""Stalled jobs: none of their tasks has ended for longer than a task may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Running:
    """A running job: its name, and when it started or was last redriven."""

    job: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Stalled:
    """A stalled job: its name, and when one of its tasks last ended, or when it started."""

    job: str
    since: datetime


def stalled(
    running: Iterable[Running],
    last_task: Callable[[str], datetime | None],
    *,
    now: datetime,
    patience: timedelta,
) -> list[Stalled]:
    """The jobs without the end of a task for longer than `patience`.

    Args:
        running: all running jobs.
        last_task: returns when a job's last task ended, or None if none has. Called only for jobs
            that have run for long enough.
        now: the current time.
        patience: longer than a task may take.
    """
    found = []
    for one in running:
        since = one.since
        if now - since > patience:
            since = max(since, last_task(one.job) or since)
        if now - since > patience:
            found.append(Stalled(one.job, since))
    return found
