"""Runs a map of a job: begins the calls of its surveys or batches, and waits for them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from excamera.job.flow import excamera_flow
from excamera.job.objects import Keys
from excamera.lifecycle.cancel import is_cancelled
from functions.settings import StoreSettings
from functions.task import task_handler
from mu import Context, Event, Json
from mu.engines.stack.direct import DirectWorkers, lambda_invoke
from mu.engines.stack.spread import map_of, run_spread
from mu.fanout import MOST_AT_ONCE


@dataclass(frozen=True, slots=True)
class SpreadSettings(StoreSettings):
    """The settings of the spread function.

    Attributes:
        called: the versions of each function that maps call, in all its sizes, by step.
        timeout_s: after which a function that is called has ended.
    """

    called: dict[str, list[str]]
    timeout_s: int


settings = SpreadSettings.from_environment()


def spread(event: Event, context: Context) -> Json:
    """Run a map of a job.

    Args:
        event: `job`; `each`, the map's name; `event`, what the flow gives the map.
        context: the store, and until when there is time.

    Returns:
        What `mu.engines.stack.spread.run_spread` returns.
    """
    keys = Keys(event["job"])
    # Connections of an earlier call may still wait for answers that nobody wants.
    invoke = lambda_invoke(MOST_AT_ONCE, settings.timeout_s)
    workers = DirectWorkers(settings.called, context.store, invoke, size=MOST_AT_ONCE)
    return run_spread(
        map_of(excamera_flow(), event["each"]),
        event["event"],
        workers,
        wanted=lambda: not is_cancelled(context.store, keys),
        deadline=context.deadline or time.time() + settings.timeout_s,
    )


handler = task_handler("spread", spread)
