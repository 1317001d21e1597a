"""Jobs that run and get nowhere: none of their tasks has ended for longer than any may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Running:
    """A job under way: its name, and when it started or was last redriven."""

    job: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Stalled:
    """A job without progress: its name, and when one of its tasks last ended, or it started."""

    job: str
    since: datetime


def stalled(
    running: Iterable[Running],
    last_task: Callable[[str], datetime | None],
    *,
    now: datetime,
    patience: timedelta,
) -> list[Stalled]:
    """The jobs of which no task has ended for longer than `patience`.

    Args:
        running: all jobs under way.
        last_task: when a job's last task ended, or None while none has. Asked only of jobs that
            run for long enough.
        now: the time.
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
