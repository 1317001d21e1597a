"""Looks at the uploaded video and learns its frames, within the limits of the account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from excamera.job.cut import spans
from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.lifecycle import spending
from excamera.lifecycle.acceptance import Accepted, accepted
from excamera.lifecycle.admission import turns
from excamera.price.film import Film
from excamera.price.workers import Workers, environments_ahead, limits_of
from excamera.steps.index import index
from functions.learned import model_of
from functions.settings import StoreSettings
from functions.task import task_handler
from functions.turns import capacity
from functions.warming import Warming
from mu import Context, Event, Json


@dataclass(frozen=True, slots=True)
class IndexSettings(StoreSettings):
    """The settings of the index step.

    Attributes:
        job_workers: functions that may encode a job at the same time.
        batch_workers: functions that may encode one batch.
        spread_calls: calls under way at once up to which one function begins all spans or batches.
        workers_at_once: functions that all jobs may run at the same time; 0 for the account's.
        span_pixels: see `excamera.job.cut.spans`.
        memory_mb: memory of each function, by its name.
        encode_sizes: the sizes of memory of the function encode; the usual one is the first.
        architecture: "arm64" or "x86_64", of every function.
        max_usd_per_job: the most that a job may cost; 0 for no limit.
        max_usd_per_month: the most that all jobs of a month may cost; 0 for no limit.
        warm_function: has environments made ahead; "" for none.
    """

    job_workers: int
    batch_workers: int
    spread_calls: int
    workers_at_once: int
    span_pixels: int
    memory_mb: dict[str, int]
    encode_sizes: list[int]
    architecture: str
    max_usd_per_job: float
    max_usd_per_month: float
    warm_function: str


settings = IndexSettings.from_environment()
warming = Warming(settings.warm_function)


def index_within_limits(event: Event, context: Context) -> Json:
    """Index a source, and tell what the stack and the account allow to run at the same time."""
    with ThreadPoolExecutor() as pool:
        given, found = (
            pool.submit(turns, context.store),
            pool.submit(capacity, settings.workers_at_once),
        )
    turn, free = given.result().get(event["job"]), found.result()
    if free is not None:
        free = max(1, free >> event.get("halvings", 0))
    granted = None if turn is None else min(turn.workers, free or turn.workers)
    limits = limits_of(
        settings.memory_mb,
        settings.job_workers,
        settings.batch_workers,
        concurrency=free,
        granted=granted,
        # What it failed for may take longer than one function can wait.
        spread_calls=0 if event.get("again") else settings.spread_calls,
    )

    def accept(film: Film, options: EncodeOptions, goal: Goal | None) -> Accepted:
        workers = Workers(
            settings.memory_mb,
            settings.architecture,
            settings.job_workers,
            settings.batch_workers,
            limits.workers,
            spread_calls=limits.spread_calls,
            encode_sizes=tuple(settings.encode_sizes[1:]),
            warms=bool(settings.warm_function),
        )
        before, pace = event.get("planned"), None
        if goal is not None or settings.max_usd_per_job or settings.max_usd_per_month:
            pace = model_of(context.store, settings.architecture).pace
        found = accepted(film, options, goal, workers, limits, before=before, pace=pace)
        spending.check_job(found.usd, settings.max_usd_per_job)
        now = datetime.now(UTC)
        spending.commit(event["job"], found.usd, settings.max_usd_per_month, context.store, now)
        surveyed = spans(film.frames, film.width * film.height, found.options, settings.span_pixels)
        ahead = environments_ahead(film, found.options, found.limits, len(surveyed))
        called = {found.limits.called(step): count for step, count in ahead.items()}
        warming.begin(event["job"], called)
        return found

    limits = replace(limits, sizes=settings.encode_sizes)
    limited = {"limits": asdict(limits), "span_pixels": settings.span_pixels}
    return index({**event, **limited}, context, accept)


handler = task_handler("index", index_within_limits)
