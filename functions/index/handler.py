"""Looks at the uploaded video and learns its frames, within the limits of the account."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.lifecycle import spending
from excamera.lifecycle.acceptance import Accepted, accepted
from excamera.lifecycle.admission import turns
from excamera.price.estimate import Film, Workers, limits_of
from excamera.steps.index import index
from functions.settings import StoreSettings
from functions.task import task_handler
from functions.turns import capacity
from mu import Context, Event, Json


@dataclass(frozen=True, slots=True)
class IndexSettings(StoreSettings):
    """The settings of the index step.

    Attributes:
        job_workers: functions that may encode a job at the same time.
        batch_workers: functions that may encode one batch.
        workers_at_once: functions that all jobs may run at the same time; 0 for the account's.
        span_pixels: see `excamera.job.cut.spans`.
        memory_mb: memory of each function, by its name.
        encode_sizes: the sizes of memory of the function encode; the usual one is the first.
        architecture: "arm64" or "x86_64", of every function.
        max_usd_per_job: the most that a job may cost; 0 for no limit.
        max_usd_per_month: the most that all jobs of a month may cost; 0 for no limit.
    """

    job_workers: int
    batch_workers: int
    workers_at_once: int
    span_pixels: int
    memory_mb: dict[str, int]
    encode_sizes: list[int]
    architecture: str
    max_usd_per_job: float
    max_usd_per_month: float


settings = IndexSettings.from_environment()


def index_within_limits(event: Event, context: Context) -> Json:
    """Index a source, and tell what the stack and the account allow to run at the same time."""
    turn = turns(context.store).get(event["job"])
    free = capacity(settings.workers_at_once)
    if free is not None:
        free = max(1, free >> event.get("halvings", 0))
    granted = None if turn is None else min(turn.workers, free or turn.workers)
    limits = limits_of(
        settings.memory_mb,
        settings.job_workers,
        settings.batch_workers,
        concurrency=free,
        granted=granted,
    )

    def accept(film: Film, options: EncodeOptions, goal: Goal | None) -> Accepted:
        workers = Workers(
            settings.memory_mb,
            settings.architecture,
            settings.job_workers,
            settings.batch_workers,
            limits.workers,
            tuple(settings.encode_sizes),
        )
        before = event.get("planned")
        found = accepted(film, options, goal, workers, limits, before=before)
        spending.check_job(found.usd, settings.max_usd_per_job)
        now = datetime.now(UTC)
        spending.commit(event["job"], found.usd, settings.max_usd_per_month, context.store, now)
        return found

    given = {"limits": asdict(limits), "span_pixels": settings.span_pixels}
    return index({**event, **given}, context, accept)


handler = task_handler("index", index_within_limits)
