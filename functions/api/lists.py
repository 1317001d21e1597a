"""Lists of jobs, page by page: a token says where the list stopped."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from excamera.api.answers import JobPage, JobSummary, State
from excamera.api.refusals import Malformed
from excamera.lifecycle import catalogue
from excamera.lifecycle.admission import Waiting, find, queue
from functions.api.awaited import find_awaited
from functions.api.executions import Execution, Executions
from functions.api.records import summary_of_record
from mu import Store, at_once

PAGE = 25


class Lists:
    """The lists of one stack's jobs."""

    def __init__(self, store: Store, executions: Executions) -> None:
        self._store = store
        self._executions = executions

    def page(self, state: State | None, limit: int, token: str | None) -> JobPage:
        """Some jobs: those that wait for an upload, those that wait for their turn, all others.

        Raises:
            Malformed: the token is not one of this API.
        """
        where = _unpacked(token) if token else {"uploading": ""}
        if "day" in where:
            raise Malformed("next: it is of a list of one day")
        found: list[JobSummary] = []
        for kind, read, following in (
            ("uploading", self._awaited_page, "queued"),
            ("queued", self._queue_page, "executions"),
        ):
            if kind not in where:
                continue
            more = None
            if state in (None, kind):
                some, more = read(where[kind], limit - len(found))
                found += some
            if more is not None:
                return JobPage(jobs=found, next=_packed({kind: more}))
            where = {following: ""}
        if state in ("uploading", "queued"):
            return JobPage(jobs=found)
        if len(found) == limit:
            return JobPage(jobs=found, next=_packed(where))
        try:
            executions, token = self._executions.page(
                state, limit - len(found), where["executions"]
            )
        except ValueError as error:
            raise Malformed(f"next: {error}") from error
        events = self._executions.events([execution.job for execution in executions])
        found += map(_summary, executions, events)
        return JobPage(jobs=found, next=_packed({"executions": token}) if token else None)

    def page_of_day(self, day: str, state: State | None, limit: int, token: str | None) -> JobPage:
        """Jobs that began on a day, such as "2026-11-29", and have ended, however long ago."""
        after = _unpacked(token).get("day", "") if token else ""
        names = [name for name in catalogue.jobs_of_day(day, self._store) if name > after]
        some = names[:limit]
        found = at_once(lambda name: catalogue.find(name, self._store), some)
        return JobPage(
            jobs=[
                summary_of_record(one)
                for one in found
                if one is not None and state in (None, one["status"])
            ],
            next=_packed({"day": some[-1]}) if len(names) > limit else None,
        )

    def _awaited_page(self, after: str, limit: int) -> tuple[list[JobSummary], str | None]:
        keys = self._store.list("uploads/", after=after, limit=limit + 1)
        found = []
        for key in keys[:limit]:
            one = find_awaited(key.removeprefix("uploads/").removesuffix(".json"), self._store)
            if one is not None:
                found.append(
                    JobSummary(
                        id=one.job,
                        state="uploading",
                        created=one.created,
                        **source_of(one.event),
                    )
                )
        return found, (keys[limit - 1] if limit else after) if len(keys) > limit else None

    def _queue_page(self, after: str, limit: int) -> tuple[list[JobSummary], str | None]:
        places = enumerate(queue(self._store).items(), start=1)
        left = [(place, entry, job) for place, (entry, job) in places if entry > after]
        some = left[:limit]
        waiting = at_once(lambda one: find(one[2], self._store), some)
        found = [
            JobSummary(
                id=one.job,
                state="queued",
                created=time_of(one),
                place=place,
                **source_of(one.event),
            )
            for (place, _, _), one in zip(some, waiting, strict=True)
            if one is not None
        ]
        return found, (some[-1][1] if some else after) if len(left) > limit else None


def time_of(waiting: Waiting) -> str:
    """When a job was asked for, ISO 8601."""
    return datetime.fromtimestamp(waiting.created, UTC).isoformat()


def source_of(event: dict[str, Any]) -> dict[str, Any]:
    """Source and size of a job, as fields of its summary."""
    return {"source": event["input"]["name"], "size": event.get("size")}


def _summary(execution: Execution, event: dict[str, Any] | None) -> JobSummary:
    ended = execution.ended
    return JobSummary(
        id=execution.job,
        state=execution.state,
        created=execution.started.isoformat(),
        ended=ended.isoformat() if ended else None,
        **(source_of(event) if event else {}),
    )


def _packed(where: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(where).encode()).decode()


def _unpacked(token: str) -> dict[str, str]:
    try:
        where: dict[str, str] = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise Malformed("next: not a token of this API") from error
    sections = {"uploading", "queued", "executions", "day"}
    known = isinstance(where, dict) and where.keys() <= sections and where
    if not known or not all(isinstance(value, str) for value in where.values()):
        raise Malformed("next: not a token of this API")
    return where
