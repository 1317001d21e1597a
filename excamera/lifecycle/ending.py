"""The notice of a job's end: one for each end, however the job ended.

The notice is made from Step Functions' event "Execution Status Change" and, if the job did not
succeed, from the reason that its first failure left in the store. It is the body of every message
about the end, and stays in the store as ``end.json``.

Events come at least once. `notice_of` returns the same `id` for the same end, and `is_told`
recognises an end that was announced before. A cancelled job keeps no objects: its end is announced
like any other and then forgotten, so it may be announced twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from excamera.job.objects import Keys
from excamera.job.records import FailureRecord
from excamera.job.results import Outcome, PlanSummary, Prediction
from excamera.job.tally import Tally
from excamera.lifecycle.admission import EVENT_SOURCE
from excamera.lifecycle.cancel import is_cancelled
from excamera.lifecycle.failure import note_end, recorded
from excamera.lifecycle.planned import planned_of
from excamera.price.so_far import used
from mu import Attempt, NoSuchKey, Store
from mu.timeline import attempts

Notice = dict[str, Any]

SOURCE, DETAIL_TYPE = EVENT_SOURCE, "ExCamera Job Ended"
"""The labels of the event on EventBridge's default bus."""

STATUSES = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed_out",
    "ABORTED": "stopped",
}
"""Step Functions' statuses of ended executions, and ours."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has ended.

    Attributes:
        notice: of its end.
        attempts: of its timeline; none of a job that was cancelled.
        planned: the result of its plan step; None if it did not get that far.
    """

    notice: Notice
    attempts: list[Attempt]
    planned: PlanSummary | None


_OF_RESULT = ("key", "size", "frames", "duration_s", "files")


def is_of_child(detail: Mapping[str, Any]) -> bool:
    """Whether an event is of a child execution of a distributed map, which is no job.

    Step Functions puts the map's label after the state machine's name, with a slash that no name
    can have: ``...:execution:StateMachine/Label:name``.

    Args:
        detail: detail of the event "Step Functions Execution Status Change".
    """
    return any("/" in detail.get(name, "") for name in ("executionArn", "stateMachineArn"))


def end_of_job(
    detail: Mapping[str, Any],
    store: Store,
    *,
    stack: str,
    memory_mb: Mapping[str, int],
    architecture: str,
) -> Ended:
    """Make the notice of an end; records the reason if the job did not succeed.

    Args:
        detail: detail of the event "Step Functions Execution Status Change".
        store: the store of jobs.
        stack: name of the stack in which the job ran.
        memory_mb: memory of each of its functions, by name.
        architecture: architecture of all of them.
    """
    reason = None
    if detail["status"] != "SUCCEEDED":
        note_end(detail["name"], detail["status"], detail.get("cause"), store)
        reason = recorded(detail["name"], store)
    keys = Keys(detail["name"])
    noted: list[Attempt] = []
    # Of a cancelled job a part of the timeline may be removed already.
    if detail["status"] != "ABORTED" or not is_cancelled(store, keys):
        noted = list(attempts(keys.timeline, store.list(f"{keys.timeline}/")))
    planned = planned_of(store, keys, noted)
    cost_usd = None
    if noted:
        usage = used(Tally.of(noted), planned, memory_mb)
        cost_usd = round(usage.dollars(architecture), 6)
    notice = notice_of(
        detail,
        stack=stack,
        reason=reason,
        cost_usd=cost_usd,
        predicted=planned.predicted if planned else None,
    )
    return Ended(notice, noted, planned)


def notice_of(
    detail: Mapping[str, Any],
    *,
    stack: str,
    reason: FailureRecord | None = None,
    cost_usd: float | None = None,
    predicted: dict[str, Any] | None = None,
) -> Notice:
    """The notice of an end, without fields whose values are unknown.

    Args:
        detail: detail of the event "Step Functions Execution Status Change".
        stack: name of the stack in which the job ran.
        reason: the record of the job's failure.
        cost_usd: cost of the job, if known.
        predicted: the `Prediction` in its plan's result, if there is one.
    """
    arn, stopped_ms = detail["executionArn"], detail["stopDate"]
    job = parsed(detail.get("input"))
    result = _result(detail, job) if detail["status"] == "SUCCEEDED" else None
    took = Outcome(seconds(detail), cost_usd, result.get("size") if result else None)
    notice = {
        "id": hashlib.sha256(f"{arn}\n{stopped_ms}".encode()).hexdigest()[:32],
        "stack": stack,
        "job": detail["name"],
        "execution": arn,
        "status": STATUSES[detail["status"]],
        "source": _place(parsed(job.get("input")).get("name")),
        "result": result,
        "error": reason and reason.error,
        "message": reason and reason.message,
        "started": _time(detail["startDate"]),
        "ended": _time(stopped_ms),
        "cost_usd": cost_usd,
        "predicted": predicted and Prediction.from_json(predicted).outcome.to_json(),
        "actual": took.to_json() or None,
        "tag": job.get("tag"),
    }
    return {name: value for name, value in notice.items() if value is not None}


def attributes(notice: Notice) -> dict[str, str]:
    """Attributes by which subscribers can filter: `status`, and `error` if there is one."""
    return {name: notice[name] for name in ("status", "error") if name in notice}


def is_told(notice: Notice, store: Store) -> bool:
    """Whether this end was announced before."""
    return bool(_last(notice, store).get("id") == notice["id"])


def told_cost_usd(notice: Notice, store: Store) -> float:
    """What the job had cost when its last end was announced, in dollars."""
    return float(_last(notice, store).get("cost_usd", 0.0))


def remember(notice: Notice, store: Store) -> None:
    """Store a notice as the job's last, once it is announced.

    A job that is redriven ends again; the notice of its later end stays. A cancelled job keeps
    no notice.
    """
    data = json.dumps(notice, indent=1).encode()
    keys = Keys(notice["job"])
    last = _last(notice, store)
    if not store.put_new(keys.end, data) and last.get("ended", "") < notice["ended"]:
        store.put(keys.end, data)
    forget_if_cancelled(notice, store)


def forget_if_cancelled(notice: Notice, store: Store) -> None:
    """Remove the last objects of a cancelled job; call it after the last write."""
    keys = Keys(notice["job"])
    if is_cancelled(store, keys):
        store.delete(keys.failure)
        store.delete(keys.end)
        # Step Functions may write its results of the map after all else was removed.
        store.delete_all(store.list(f"{keys.map_results}/"))


def seconds(detail: Mapping[str, Any]) -> float | None:
    """Seconds that a job took; None if it was redriven, as its idle time is unknown."""
    if detail.get("redriveCount"):
        return None
    return float(detail["stopDate"] - detail["startDate"]) / 1000


def _last(notice: Notice, store: Store) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(store.get(Keys(notice["job"]).end))
    except NoSuchKey:
        return {}
    return found


def parsed(value: Any) -> dict[str, Any]:
    """A JSON object of the event; {} for anything else, since anyone may start an execution."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _place(url: Any) -> dict[str, str] | None:
    """Bucket and key of ``s3://bucket/key``, in which nothing is percent-encoded."""
    if not isinstance(url, str):
        return None
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    return {"bucket": bucket, "key": key} if scheme == "s3" else {"key": url}


def _result(detail: Mapping[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    made = parsed(detail.get("output"))
    found = {name: made[name] for name in _OF_RESULT if made.get(name) not in (None, [])}
    place = _place(parsed(job.get("output")).get("store"))
    return {"bucket": place["bucket"], **found} if place and "bucket" in place else found


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
