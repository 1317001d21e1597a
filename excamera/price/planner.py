"""Chooses structure, packing and memory of a job by the time or the price that a user wants.

What a sieve of arithmetic leaves is simulated a few times each: only then ramps, queues and slow
calls count. The same film, options and workers give the same choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import median
from typing import Any

from excamera.errors import BudgetTooSmall, TimeTooShort
from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.job.packing import FRONT
from excamera.price.choices import Point, front_of
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.sieve import Candidate, candidates, front_and_near, nearest
from excamera.price.simulated import Simulated, simulated
from excamera.price.workers import Workers
from mu.simulation import CLOUD

TRIED_CALLS, SURE_CALLS = 16_000, 10_000
"""Calls that are simulated to find the best ways, and then to be surer of these: about a second of
one CPU in all."""

FEWEST, MOST = 4, 24
"""Ways that are simulated."""

FIRST_SEEDS, MORE_SEEDS, SEEDS = 3, 4, 10
"""Simulations of each way at first, further ones of the best at least, if their calls are not too
many, and all of these at most. The slowest is what is promised."""

LEAST_GAIN = 0.01
"""A way that costs more must gain such a part of the time, else it is not worth a line."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What may be chosen, and what is.

    Attributes:
        goal: what was asked for; None if nothing was.
        frontier: the points that no other beats, the fastest first.
        chosen: one of them; None without a goal.
        met: whether it is expected to meet the goal.
        why: why it was chosen, in two sentences; "" without a goal.
        simulations: of each point.
    """

    goal: Goal | None
    frontier: tuple[Point, ...]
    chosen: Point | None
    met: bool
    why: str
    simulations: int

    def check(self) -> None:
        """Refuse a job whose goal cannot be met, if that is what was asked for.

        Raises:
            BudgetTooSmall: it would cost more than its budget.
            TimeTooShort: it would take longer than it may.
        """
        if self.goal is None or self.met:
            return
        if self.goal.budget_usd is not None:
            raise BudgetTooSmall(self.why)
        if self.goal.or_fail:
            raise TimeTooShort(self.why)

    def to_json(self) -> dict[str, Any]:
        """The record of the choice, as it is kept with its job.

        Raises:
            ValueError: nothing was chosen.
        """
        if self.goal is None or self.chosen is None:
            raise ValueError("without a goal nothing is chosen")
        return {
            "goal": self.goal.to_json(),
            "met": self.met,
            "why": self.why,
            "chosen": self.chosen.to_json(),
            "simulations": self.simulations,
        }


def planned(
    film: Film,
    base: EncodeOptions,
    workers: Workers,
    pace: Pace | None = None,
    goal: Goal | None = None,
) -> Planned:
    """Look at what may be chosen for a film, and choose.

    Args:
        film: what is to be encoded.
        base: all options but N and x.
        workers: the stack's, with the sizes that it has.
        pace: the pace of one CPU; by default the constants of `Pace`.
        goal: what is asked for; None to list the frontier.
    """
    job = _Job(film, base, workers, pace or Pace())
    few = job.worth_it(candidates(film, base, workers, job.pace), goal)
    tried = job.simulate([_Way(one, ()) for one in few], FIRST_SEEDS, TRIED_CALLS)
    # The cloud refuses some: their histories or lists would be too long.
    tried = [one for one in tried if one.ends] or tried
    calls = SURE_CALLS / MORE_SEEDS
    near = nearest(front_and_near(tried, calls, MOST), goal, calls, FEWEST, 0.0)
    best = job.simulate(near, SEEDS, SURE_CALLS)
    frontier = tuple(
        way.point() for way in front_of(best, _Way.seconds_and_dollars, least_gain=LEAST_GAIN)
    )
    seeds = len(best[0].made)
    if goal is None:
        return Planned(None, frontier, None, met=True, why="", simulations=seeds)
    place, met = _best(frontier, goal)
    why = _why(frontier, place, goal, met, seeds)
    return Planned(goal, frontier, frontier[place], met, why, seeds)


@dataclass(frozen=True, slots=True)
class _Way:
    """A candidate, and simulations of it with the seeds from 0."""

    candidate: Candidate
    made: tuple[Simulated, ...]

    @property
    def ends(self) -> bool:
        """Whether any of the simulated jobs does not fail; some fail by chance."""
        return bool(self._ended())

    def _ended(self) -> list[Simulated]:
        ended = (one for one in self.made if isfinite(one.seconds))
        return sorted(ended, key=lambda one: one.seconds)

    @property
    def calls(self) -> int:
        """Calls of a simulation, about."""
        return self.candidate.calls

    def seconds_and_dollars(self) -> tuple[float, float]:
        """The slowest and the dearest of the simulations; without any, what arithmetic says."""
        ended = self._ended()
        if not ended:
            return self.candidate.seconds_and_dollars()
        return ended[-1].seconds, max(one.dollars for one in ended)

    def point(self) -> Point:
        """What is expected of it."""
        ended, found = self._ended(), self.candidate.estimate
        late_s, usd = self.seconds_and_dollars()
        return Point(
            self.candidate.choice,
            seconds=median(one.seconds for one in ended) if ended else late_s,
            late_s=late_s,
            usd=usd,
            size=round(found.size * (1 + self.candidate.more_bits)),
            more_bits=self.candidate.more_bits,
            batches=found.shape.batches,
            shares=found.shape.shares,
            workers=found.workers,
            spent=ended[(len(ended) - 1) // 2].result.bottlenecks if ended else {},
        )


@dataclass(frozen=True, slots=True)
class _Job:
    """What is chosen for; the fields are the arguments of `planned`."""

    film: Film
    base: EncodeOptions
    workers: Workers
    pace: Pace

    def worth_it(self, found: Iterable[Candidate], goal: Goal | None) -> list[Candidate]:
        """The candidates that are worth a simulation, or those of them near the goal.

        An estimate leaves out gathering and ramps, which take as long whatever is chosen: the
        simulation of the fastest shows how long. Otherwise ways near a goal would be looked for in
        the wrong place.
        """
        calls = TRIED_CALLS / FIRST_SEEDS
        near = front_and_near(found, calls, MOST)
        missing_s = 0.0
        if goal is not None and goal.within_s is not None:
            fastest = self._simulate(near[0], 0)
            missing_s = max(0.0, fastest.seconds - near[0].seconds)
        return nearest(near, goal, calls, FEWEST, missing_s)

    def simulate(self, ways: Sequence[_Way], seeds: int, calls: int) -> list[_Way]:
        """Simulate ways further, up to so many times each; at least once in all.

        Args:
            ways: equally often simulated.
            seeds: how often, in all.
            calls: how many calls these simulations may have.
        """
        known = len(ways[0].made)
        affordable = known + calls // sum(one.calls for one in ways)
        further = range(known, min(seeds, max(1, affordable)))
        return [
            replace(
                way, made=(*way.made, *(self._simulate(way.candidate, seed) for seed in further))
            )
            for way in ways
        ]

    def _simulate(self, candidate: Candidate, seed: int) -> Simulated:
        return simulated(
            self.film,
            candidate.choice.options(self.base),
            candidate.choice.workers(self.workers),
            self.pace,
            cloud=replace(CLOUD, concurrency=self.workers.concurrency + FRONT),
            seed=seed,
        )


def _best(frontier: Sequence[Point], goal: Goal) -> tuple[int, bool]:
    """The place of the point to choose, and whether it meets the goal.

    Of those that end in time, the cheapest; of those that cost little enough, the fastest. If there
    is none, the fastest or the cheapest of all.
    """
    if goal.within_s is not None:
        places = [place for place, one in enumerate(frontier) if one.late_s <= goal.within_s]
        return (places[-1], True) if places else (0, False)
    assert goal.budget_usd is not None
    places = [place for place, one in enumerate(frontier) if one.usd <= goal.budget_usd]
    return (places[0], True) if places else (len(frontier) - 1, False)


_WORDS = {
    "compute": "computing",
    "stragglers": "what the slowest calls take longer than others",
    "too few workers": "the wait for workers that do other batches",
    "gather": "the gathering of what the state machine's maps did",
    "dispatch": "the start of one batch after another",
    "cold start": "the start of new environments",
    "ramp": "Lambda's ramp of new environments",
    "concurrency": "the wait for other calls of the account",
}


def _why(frontier: Sequence[Point], place: int, goal: Goal, met: bool, simulations: int) -> str:
    chosen = frontier[place]
    if goal.within_s is not None:
        asked = f"within {goal.within_s:,.0f} s"
        way = f"The cheapest way to end {asked}" if met else f"No way ends {asked}: the fastest"
    else:
        asked = _dollars(goal.budget_usd or 0.0)
        way = (
            f"The fastest way for {asked}"
            if met
            else f"No way costs as little as {asked}: the cheapest"
        )
    of_several = f"the slowest of {simulations} simulations"
    about = [of_several if simulations > 1 else "by one simulation"]
    for most, spent_s in [*chosen.spent.items()][:1]:
        about.append(f"of which the most, {spent_s:,.0f} s, is {_WORDS.get(most, most)}")
    return (
        f"{way} takes {chosen.late_s:,.0f} s ({', '.join(about)}) and {_dollars(chosen.usd)}. "
        f"{_neighbours(frontier, place)}"
    )


def _neighbours(frontier: Sequence[Point], place: int) -> str:
    """What the next points would take and cost."""
    named = {"faster": place - 1, "cheaper": place + 1}
    found = [
        f"the next {name} takes {frontier[at].late_s:,.0f} s and {_dollars(frontier[at].usd)}"
        for name, at in named.items()
        if 0 <= at < len(frontier)
    ]
    text = "; ".join(found) or "there is no other that is faster or cheaper"
    return f"{text[0].upper()}{text[1:]}."


def _dollars(usd: float) -> str:
    """A price with digits that say something."""
    if usd < 0.0001:
        return f"${usd:f}"
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.3f}" if usd >= 0.1 else f"${usd:.4f}"
