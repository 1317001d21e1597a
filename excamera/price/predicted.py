"""What a job is expected to take, once it is known how its film is cut and who works on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.plan import Plan
from excamera.job.results import Prediction
from excamera.price.estimate import START_S, Estimate, estimate
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.simulated import before_s, simulated
from excamera.price.size import aimed
from excamera.price.stages import Lengths, Stages, batches_of
from excamera.price.workers import Workers
from mu.prices import GB_SECOND_USD
from mu.simulation import CLOUD
from mu.simulation.calls import COMPUTE, STRAGGLER, WORKERS

MOST_SIMULATED = 1000
"""Batches of a job that is simulated: a tenth of a second. A larger one is only estimated."""

_SEEDS = 3
_CHEAP = 300
"""Batches that several simulations may have together."""

_COMPUTING = (COMPUTE, STRAGGLER, WORKERS)
"""On the critical path, what is shorter if calls are faster."""


def workers_within(limits: Limits, workers: Workers) -> Workers:
    """Those workers, of the size that a job chose, with as many at once as it was granted."""
    granted = limits.concurrency if limits.granted is None else limits.granted
    return replace(
        workers,
        memory_mb=limits.memory(workers.memory_mb),
        job_workers=limits.job_workers,
        batch_workers=limits.batch_workers,
        concurrency=workers.concurrency if granted is None else granted,
    )


def predict_plan(
    plan: Plan, limits: Limits, workers: Workers, pace: Pace, *, warm: bool
) -> Prediction:
    """Predict what a planned job takes within its limits; see `predict`."""
    return predict(
        Film.of(plan, plan.frame_count),
        plan.options,
        workers_within(limits, workers),
        pace,
        batches_of(plan),
        warm=warm,
    )


def predict(
    film: Film,
    options: EncodeOptions,
    workers: Workers,
    pace: Pace,
    batches: Sequence[Lengths],
    *,
    warm: bool = False,
) -> Prediction:
    """Predict what a job takes that has just been planned.

    Seconds are those of its execution: nobody knows how long it waited for its turn. Dollars are
    those of calls, requests and states as the timeline tells them, which does not have the time in
    which environments begin.

    Args:
        film: what it encodes.
        options: its options.
        workers: that it was granted.
        pace: the stack's.
        batches: the frames of each chunk of each batch.
        warm: whether the functions have environments left from another job.
    """
    options = aimed(film, options, pace)
    shape = Stages(film, options, pace, workers.limits, batches).shape
    told = estimate(film, options, workers, pace, warm=True, shape=shape)
    seconds, computing_s, copies_gb_s = _simulated(
        film, options, workers, pace, batches, warm, told
    )
    calls_s = sum(
        told.usage.gb_seconds[step] * 1024 / workers.memory_mb[step]
        for step in ("anchors", "encode")
    )
    return Prediction(
        seconds=round(seconds, 3),
        usd=round(told.dollars + copies_gb_s * GB_SECOND_USD[workers.architecture], 6),
        bytes=told.size,
        computing_s=round(computing_s, 3),
        calls_s=round(calls_s, 3),
        waits=pace.waits,
    )


def _simulated(
    film: Film,
    options: EncodeOptions,
    workers: Workers,
    pace: Pace,
    batches: Sequence[Lengths],
    warm: bool,
    told: Estimate,
) -> tuple[float, float, float]:
    """Seconds of the execution, those of them in which calls compute, and GB-seconds of copies."""
    if len(batches) <= MOST_SIMULATED:
        runs = [
            simulated(film, options, workers, pace, batches=batches, warm=warm, seed=seed)
            for seed in range(max(1, min(_SEEDS, _CHEAP // len(batches))))
        ]
        run = sorted(runs, key=lambda one: one.seconds)[len(runs) // 2]
        if not run.result.error:
            spent = run.result.bottlenecks
            computing_s = sum(spent.get(kind, 0.0) for kind in _COMPUTING)
            waits_s = run.seconds - before_s(CLOUD) - computing_s
            seconds = computing_s + pace.waits * waits_s
            return seconds, computing_s, run.result.copies_gb_s
    if not warm:
        told = estimate(film, options, workers, pace, shape=told.shape)
    return told.seconds - pace.waits * START_S, told.computing_s, 0.0
