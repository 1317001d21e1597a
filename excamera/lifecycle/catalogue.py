"""The catalogue: a record of every job that has ended, kept for as long as its owner wants.

Step Functions forgets executions after 90 days, and a job's own objects expire sooner. A record is
the notice of the job's end with what the job was asked for. In the store:

``catalogue/jobs/JOB.json``           the record
``catalogue/days/2026-11-29/JOB``     an entry without content, by the day on which the job began
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from excamera.lifecycle.ending import Notice, parsed
from mu import NoSuchKey, Store

Record = dict[str, Any]

_NEEDED = ("input", "output", "options")
_ASKED = ("output", "options", "goal", "priority", "size")


def record(notice: Notice, detail: Mapping[str, Any], store: Store) -> None:
    """Keep a job; a later end of the same job replaces its record.

    Args:
        notice: of its end.
        detail: of the event from which that was made.
        store: the jobs'.
    """
    job, event = notice["job"], parsed(detail.get("input"))
    if not event.keys() >= {*_NEEDED}:
        return  # somebody started it by hand, with an event of his own
    kept = {**notice, **{name: event[name] for name in _ASKED if name in event}}
    kept["source"] = event["input"]["name"]
    if "result" in notice:
        kept["result"] = {**parsed(detail.get("output")), **notice["result"]}
    store.put(_key(job), json.dumps(kept, indent=1).encode())
    store.put(f"{_day(notice['started'][:10])}{job}", b"")


def find(job: str, store: Store) -> Record | None:
    """The record of a job, or None."""
    try:
        found: Record = json.loads(store.get(_key(job)))
    except NoSuchKey:
        return None
    return found


def jobs_of_day(day: str, store: Store) -> list[str]:
    """The names of the jobs that began on a day, such as "2026-11-29", UTC, and have ended."""
    prefix = _day(day)
    return [key.removeprefix(prefix) for key in store.list(prefix)]


def _key(job: str) -> str:
    return f"catalogue/jobs/{job}.json"


def _day(day: str) -> str:
    return f"catalogue/days/{day}/"
