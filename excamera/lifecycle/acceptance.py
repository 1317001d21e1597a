"""A job is accepted as soon as its film is known: how it is done, and what that should cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.price.choices import Choice
from excamera.price.estimate import estimate
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.structures import structures
from excamera.price.workers import Workers


@dataclass(frozen=True, slots=True)
class Accepted:
    """How a job is done.

    Attributes:
        options: of the encode.
        limits: of the job.
        planned: the record of what was chosen for its goal, see
            `excamera.price.planner.Planned.to_json`; None for a job without one.
        usd: what it should cost, in dollars.
    """

    options: EncodeOptions
    limits: Limits
    planned: dict[str, Any] | None = None
    usd: float = 0.0


def surveyed(options: EncodeOptions) -> EncodeOptions:
    """The options with which a source is looked at before its structure is chosen.

    All structures among which a goal chooses look at it in the same way.
    """
    return next(structures(options))[0]


def accepted(
    film: Film,
    options: EncodeOptions,
    goal: Goal | None,
    workers: Workers,
    limits: Limits,
    *,
    before: Mapping[str, Any] | None = None,
    pace: Pace | None = None,
) -> Accepted:
    """How a job is done, by what was asked for.

    Args:
        film: what is to be encoded.
        options: of the encode; a goal chooses N and x.
        goal: of the job, if it has one.
        workers: what the stack and the account allow the job.
        limits: of the job, from the same.
        before: `Accepted.planned` of the same job, if it begins again. The choice stays, or pieces
            that are finished would be of no use.
        pace: of one CPU; by default the constants of `Pace`.

    Raises:
        BudgetTooSmall: it would cost more than its budget.
        TimeTooShort: it would take longer than it may, and is to fail then.
    """
    if goal is None:
        return Accepted(options, limits, None, estimate(film, options, workers, pace).dollars)
    record = before
    if record is None or Goal.from_json(record["goal"]) != goal:
        # Jobs without a goal need no simulator, whose import would make their start slower.
        from excamera.price.planner import planned

        found = planned(film, options, workers, pace, goal)
        found.check()
        record = found.to_json()
    choice = Choice.from_json(record["chosen"])
    return Accepted(
        choice.options(options),
        choice.limits(limits, workers.memory_mb["encode"]),
        dict(record),
        record["chosen"]["usd"],
    )
