"""A job's progress, from the objects that it has stored; no map run is queried."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import Any

from excamera.api.answers import (
    Cost,
    Count,
    Failure,
    Film,
    Goal,
    Job,
    Outcome,
    Phase,
    Planned,
    Reached,
    Result,
    ResultFile,
)
from excamera.job.codecs import rung_of
from excamera.job.goal import CHOSEN
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.results import JobResult, PlanSummary, Prediction
from excamera.job.tally import Tally
from excamera.lifecycle.admission import USUAL_PRIORITY
from excamera.lifecycle.failure import recorded
from excamera.price.estimate import estimate
from excamera.price.film import Film as PricedFilm
from excamera.price.so_far import used
from excamera.price.workers import Workers
from functions.api.executions import Execution
from functions.api.settings import ApiSettings
from functions.api.so_far import so_far
from functions.api.uploads import Results
from mu import Event, Store

_USUAL_CONCURRENCY = 1000


def progress(execution: Execution, store: Store, results: Results, settings: ApiSettings) -> Job:
    """A job that has started."""
    keys = Keys(execution.job)
    done = so_far(store, keys)
    planned, tally = done.planned, done.tally
    event, output = execution.event, execution.event["output"]
    ended = execution.ended
    cost = _cost(tally, planned, event, settings) if planned else None
    result = _result(execution, results, settings)
    chosen = planned.planned if planned else None
    return Job(
        id=execution.job,
        state=execution.state,
        phase=_phase(execution, planned, tally.done),
        created=execution.started.isoformat(),
        ended=ended.isoformat() if ended else None,
        source=event["input"]["name"],
        size=event.get("size"),
        output=f"{output['store']}/{output['key']}",
        options=_options(event, planned),
        given=EncodeOptions.from_json(_options(event, planned)).offered(),
        priority=event.get("priority", USUAL_PRIORITY),
        tag=event.get("tag"),
        goal=_goal(chosen["goal"] if chosen else event.get("goal")),
        planned=None if chosen is None else Planned.model_validate(chosen),
        frames=planned.frames if planned else None,
        film=_film(planned) if planned else None,
        chunks=planned.chunks if planned else None,
        shares=Count(done=tally.done["encode"], total=planned.shares) if planned else None,
        batches=Count(done=done.joined, total=planned.batches) if planned else None,
        seconds={step: round(total, 3) for step, total in tally.seconds.items()},
        retries=tally.retries,
        workers_at_once=_at_once(planned) if planned else None,
        workers_useful=planned.useful if planned else None,
        account_concurrency=planned.concurrency if planned else None,
        cost=cost,
        predicted=_predicted(planned) if planned else None,
        actual=_actual(execution, cost, result) if ended else None,
        failure=_failure(execution, store, keys),
        result=result,
    )


def _goal(goal: dict[str, Any] | None) -> Goal | None:
    return None if goal is None else Goal(**goal)


def _options(event: Event, planned: PlanSummary | None) -> dict[str, Any]:
    """The options of a job; those that were chosen for its goal are known once it is planned."""
    if planned is None or planned.planned is None:
        return dict(event["options"])
    chosen = {name: planned.planned["chosen"][name] for name in CHOSEN}
    return {**event["options"], **chosen}


def _film(planned: PlanSummary) -> Film:
    return Film(**{name: getattr(planned, name) for name in Film.model_fields})


def _at_once(planned: PlanSummary) -> int:
    return min(planned.shares, planned.batches_at_once * planned.shares_at_once)


def _phase(execution: Execution, planned: PlanSummary | None, counts: Counter[str]) -> Phase:
    if execution.state != "running":
        return "ended"
    if planned is None:
        return "planning"
    if planned.divided == planned.batches and planned.anchored and not counts["anchors"]:
        return "anchoring"  # no share can begin yet
    return "stitching" if counts["encode"] == planned.shares else "encoding"


def _cost(tally: Tally, planned: PlanSummary, event: Event, settings: ApiSettings) -> Cost:
    usage = used(tally, planned, settings.memory_mb)
    return Cost(
        so_far_usd=usage.dollars(settings.architecture),
        estimated_usd=_estimated_usd(planned, event, settings),
        gb_seconds={step: round(value, 3) for step, value in usage.gb_seconds.items()},
    )


def _estimated_usd(planned: PlanSummary, event: Event, settings: ApiSettings) -> float:
    """What the plan predicted; of a job that an older version planned, what our constants say."""
    if planned.predicted is not None:
        return float(planned.predicted["usd"])
    workers = Workers(
        settings.memory_mb,
        settings.architecture,
        concurrency=planned.concurrency or _USUAL_CONCURRENCY,
    )
    film = PricedFilm(**_film(planned).model_dump())
    return estimate(film, EncodeOptions.from_json(event["options"]), workers).dollars


def _predicted(planned: PlanSummary) -> Outcome | None:
    if planned.predicted is None:
        return None
    return Outcome(**Prediction.from_json(planned.predicted).outcome.to_json())


def _actual(execution: Execution, cost: Cost | None, result: Result | None) -> Outcome:
    return Outcome(
        seconds=execution.seconds,
        usd=None if cost is None else cost.so_far_usd,
        bytes=None if result is None else result.size,
    )


def _failure(execution: Execution, store: Store, keys: Keys) -> Failure | None:
    if execution.state in ("running", "succeeded"):
        return None
    record = recorded(keys.job, store)
    if record is None:
        message = execution.cause
        with contextlib.suppress(ValueError, KeyError, TypeError):
            message = json.loads(execution.cause)["errorMessage"]
        return Failure(error=execution.error or execution.state, message=message)
    return Failure(**{name: getattr(record, name) for name in Failure.model_fields})


def _result(execution: Execution, results: Results, settings: ApiSettings) -> Result | None:
    if execution.state != "succeeded" or execution.output is None:
        return None
    return finished(JobResult.from_json(execution.output), execution.job, results, settings)


def finished(output: JobResult, job: str, results: Results, settings: ApiSettings) -> Result:
    """The file that a job has made, with a URL unless another job has replaced it."""
    url = results.url(output.key, job)
    files = [
        ResultFile(
            **one,
            rung=rung_of(one["name"]),
            url=found[0] if (found := results.url(one["key"], job)) else None,
        )
        for one in output.files
    ]
    return Result(
        bucket=settings.output_bucket,
        **{name: getattr(output, name) for name in
           ("key", "size", "frames", "key_frames", "duration_s", "sound", "notes")},
        target=None if output.target is None else Reached(**output.target),
        files=files,
        url=url[0] if url else None,
        expires=url[1] if url else None,
    )  # fmt: skip
