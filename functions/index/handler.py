"""Looks at the uploaded video and learns its frames, within the limits of the account."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from excamera.job.flow import Limits
from excamera.lifecycle.admission import turns
from excamera.steps.index import index
from functions.settings import StoreSettings
from functions.task import task_handler
from functions.turns import capacity
from mu import Context, Event, Json


@dataclass(frozen=True, slots=True)
class IndexSettings(StoreSettings):
    """The settings of the index step.

    Attributes:
        batches_at_once: batches of a job under way at the same time.
        chunks_at_once: chunks of one batch under way at the same time.
        workers_at_once: functions that all jobs may run at the same time; 0 for the account's.
        span_pixels: see `excamera.job.cut.spans`.
    """

    batches_at_once: int
    chunks_at_once: int
    workers_at_once: int
    span_pixels: int


settings = IndexSettings.from_environment()


def index_within_limits(event: Event, context: Context) -> Json:
    """Index a source, and tell what the stack and the account allow to run at the same time."""
    turn = turns(context.store).get(event["job"])
    limits = Limits(
        settings.batches_at_once,
        settings.chunks_at_once,
        capacity(settings.workers_at_once),
        None if turn is None else turn.workers,
    )
    given = {"limits": asdict(limits), "span_pixels": settings.span_pixels}
    return index({**event, **given}, context)


handler = task_handler("index", index_within_limits)
