"""Estimates a job before it begins: time, size and dollars; pure arithmetic.

How long calls take is in `excamera.price.pace`, how large results become in `size` beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from excamera.job.aiming import ROUNDS
from excamera.job.environments import AT_START
from excamera.job.options import EncodeOptions
from excamera.job.packing import MOST_SHARES
from excamera.job.steps import SPREADING, STEP_NAMES, STEPS
from excamera.price.costs import ASKING_S, UNTIMED_CALLS_S, Shape, Usage, foretold
from excamera.price.film import Film
from excamera.price.pace import Pace, work_seconds
from excamera.price.size import aimed, result_bytes
from excamera.price.workers import Workers, environments_ahead

COLD_START_S = 2.5
"""Seconds until a new environment of a function that works on video runs its first call."""

STATE_S = 0.1
"""Seconds of Step Functions between two calls, which are not billed."""

START_S = 1.35
"""Seconds from the end of an upload until the index function runs."""

_CHILDREN_A_SECOND = 100  # children that a distributed map starts, one for each batch


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job is expected to take.

    Attributes:
        shape: how it is cut.
        seconds: time from the end of the upload to the result.
        size: bytes of the result.
        usage: what it uses of AWS.
        dollars: cost at list prices.
        workers: the most workers at the same time.
        computing_s: the part of `seconds` in which calls compute, one after another.
    """

    shape: Shape
    seconds: float
    size: int
    usage: Usage
    dollars: float
    workers: int
    computing_s: float


def estimate(
    film: Film,
    options: EncodeOptions,
    workers: Workers,
    pace: Pace | None = None,
    *,
    warm: bool = False,
    source_reads: int = 5,
    shape: Shape | None = None,
) -> Estimate:
    """Estimate a job; pure arithmetic.

    Args:
        film: what is to be encoded.
        options: N, x, quality and effort.
        workers: the stack's workers.
        pace: the pace of one CPU; by default the constants here.
        warm: whether the functions have environments left from another job.
        source_reads: see `excamera.price.costs.foretold`.
        shape: how the film is cut, if that is known; by default all batches are equal.
    """
    pace = pace or Pace()
    options = aimed(film, options, pace)
    limits = workers.limits
    shape = shape or film.cut(options, limits)
    calls = _call_seconds(film, options, shape, workers, pace)
    counts = _calls(shape)
    # One call of the account is left for the sound.
    free = max(1, min(workers.job_workers, workers.concurrency - 1))
    at_once = min(shape.shares, free)
    surveys = max(1, min(shape.spans, limits.workers))
    ahead = [AT_START, environments_ahead(film, options, limits, shape.spans)]
    asked = {step: count for one in ahead for step, count in one.items() if workers.warms}
    environments = {step: min(count, at_once) for step, count in counts.items()}
    environments["survey"] = min(shape.spans, surveys)
    cold = 0.0 if warm else COLD_START_S
    waits = {step: 0.0 if step in asked else cold for step in STEP_NAMES}
    gb_seconds = {
        step: (counts[step] * calls[step] + environments[step] * cold)
        * workers.memory_mb[step]
        / 1024
        for step in STEP_NAMES
    }
    for step, seconds in UNTIMED_CALLS_S.items():
        gb_seconds[step] = seconds * workers.memory_mb.get(step, 0) / 1024
    gb_seconds["warm"] = sum(asked.values()) * ASKING_S * workers.memory_mb.get("warm", 0) / 1024
    of_batch = ceil(shape.shares / shape.batches)
    together = max(1, free // of_batch)
    rounds = ceil(shape.batches / together)
    batch_s = ceil(of_batch / free) * calls["encode"]
    waits_s = ceil(of_batch / free) * STATE_S
    if shape.divided and shape.anchored:
        batch_s += calls["anchors"]
        waits_s += STATE_S + waits["anchors"]
    surveyed = ceil(shape.spans / surveys)
    tried_s = 0.0
    computing_s = (
        calls["index"]
        + max(calls["audio"], surveyed * calls["survey"] + calls["plan"])
        + rounds * batch_s
        + calls["stitch"]
    )
    if shape.samples:
        together = max(1, min(shape.samples, free, MOST_SHARES))
        tries = ROUNDS * ceil(shape.samples / together) + 1
        computing_s += tries * calls["probe"]
        tried_s = waits["probe"] + (1 + tries) * STATE_S
    waits_s = (
        tried_s
        + START_S
        + sum(waits[step] for step in ("index", "plan", "encode", "stitch"))
        + (waits["survey"] if shape.spans else 0.0)
        + (1 + surveyed) * STATE_S
        + rounds * waits_s
        + (0 if shape.spread_batches else shape.batches / _CHILDREN_A_SECOND)
    )
    spread_s = shape.spread_spans * surveyed * calls["survey"]
    spread_s += shape.spread_batches * rounds * batch_s
    gb_seconds[SPREADING] = spread_s * workers.memory_mb[SPREADING] / 1024
    usage = foretold(
        shape,
        gb_seconds,
        environments["encode"],
        source_reads=source_reads,
        ahead=ahead if workers.warms else (),
    )
    return Estimate(
        shape,
        computing_s + pace.waits * waits_s,
        result_bytes(film, options, pace),
        usage,
        usage.dollars(workers.architecture),
        at_once,
        computing_s,
    )


def _call_seconds(
    film: Film, options: EncodeOptions, shape: Shape, workers: Workers, pace: Pace
) -> dict[str, float]:
    """Seconds of the mean call of each function in a warm environment."""
    work = work_seconds(film, options, shape, workers, pace)
    calls = _calls(shape)
    return {step: pace.call_s + work[step] / max(1, calls[step]) for step in STEP_NAMES}


def _calls(shape: Shape) -> dict[str, int]:
    """Calls of each step in a job of that shape."""
    return {step.name: getattr(shape.counts, step.per.name.lower()) for step in STEPS}
