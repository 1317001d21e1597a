"""Finds the few ways to do a job that are worth a simulation, among some hundred, by arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Protocol, TypeVar

from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.price.choices import Choice, front_of
from excamera.price.costs import Shape
from excamera.price.estimate import Estimate, estimate
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.structures import structures
from excamera.price.workers import Workers
from mu.simulation import CLOUD

SHARES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 40)
"""Numbers of workers for a batch that are considered."""

ROUNDS = (1, 2, 3, 4, 6, 8, 12, 16, 32)
"""Numbers of batches, one after another, of each worker."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A choice that was estimated.

    Attributes:
        choice: what is chosen.
        more_bits: see `Point`.
        estimate: of the job.
        seconds: of the estimate, with the slowest of so many calls.
    """

    choice: Choice
    more_bits: float
    estimate: Estimate
    seconds: float

    def seconds_and_dollars(self) -> tuple[float, float]:
        """What is expected of it, by arithmetic."""
        return self.seconds, self.estimate.dollars

    @property
    def calls(self) -> int:
        """Calls of a simulation, about."""
        shape = self.estimate.shape
        return shape.shares + shape.divided + shape.spans + 5


def candidates(
    film: Film, base: EncodeOptions, workers: Workers, pace: Pace
) -> Iterator[Candidate]:
    """All choices that differ in what their workers do."""
    known: set[tuple[int, int, Shape]] = set()
    for options, more in structures(base):
        for memory_mb in _sizes(film, options, workers):
            sized = workers.of_size(memory_mb)
            for packing in _packings(film, options, sized):
                choice = Choice(options.chunk_frames, options.batch_chunks, memory_mb, *packing)
                limits = choice.workers(workers).limits
                shape = film.cut(options, limits)
                kind = memory_mb, min(shape.shares, limits.workers), shape
                if kind not in known:
                    known.add(kind)
                    found = estimate(film, options, choice.workers(workers), pace)
                    yield Candidate(choice, more, found, _with_slowest(found, sized))


def _sizes(film: Film, options: EncodeOptions, workers: Workers) -> list[int]:
    """The sizes of memory in which a batch's pictures fit, and the usual one.

    A worker keeps the pictures of its share in half of its memory. If they do not fit, it reads
    them twice, which the model does not know.
    """
    usual = workers.memory_mb["encode"]
    frames = min(film.frames, options.lengths.longest_batch)
    least = 2 * frames * film.megapixels * 1e6 * 1.5 / 2**20
    return sorted({usual, *(one for one in workers.encode_sizes if one >= least)})


def _packings(film: Film, options: EncodeOptions, workers: Workers) -> Iterator[tuple[int, int]]:
    """Workers of a batch and of the job."""
    most = workers.job_workers
    for shares in SHARES:
        if shares <= workers.batch_workers:
            yield shares, most
    batches = film.cut(options, workers.limits).batches
    for rounds in ROUNDS:
        if (few := ceil(batches / rounds)) < most:
            yield 1, few


def _with_slowest(found: Estimate, workers: Workers) -> float:
    """The seconds of an estimate if the slowest of its encode calls is as slow as expected."""
    unlucky = found.shape.shares * CLOUD.stragglers
    if unlucky < 1:
        return found.seconds
    slowest = CLOUD.straggler_least * float(unlucky ** (1 / CLOUD.straggler_tail))
    gb = workers.memory_mb["encode"] / 1024
    call_s = found.usage.gb_seconds["encode"] / gb / found.shape.shares
    return found.seconds + (min(CLOUD.straggler_most, slowest) - 1) * call_s


class Weighed(Protocol):
    """What the sieve looks at."""

    @property
    def calls(self) -> int:
        """Calls of a simulation, about."""

    def seconds_and_dollars(self) -> tuple[float, float]:
        """What is expected of it."""


Item = TypeVar("Item", bound=Weighed)


def front_and_near(found: Iterable[Item], calls: float, most: int) -> list[Item]:
    """Those that no other beats, and those that hardly any beats.

    What is expected is not exact: what seems a little worse may be better.

    Args:
        found: any.
        calls: how many calls may be simulated; the front may have more.
        most: how many, if the front has no more.

    Returns:
        The fastest first.
    """
    every = list(found)
    kept = front_of(every, lambda one: one.seconds_and_dollars())
    front = [one.seconds_and_dollars() for one in kept]

    def behind(one: Item) -> float:
        """How many times as slow or expensive it is as the front where that is nearest."""
        seconds, usd = one.seconds_and_dollars()
        return min(max(seconds / best[0], usd / best[1]) for best in front)

    left = calls - sum(one.calls for one in kept)
    for one in sorted((one for one in every if one not in kept), key=behind):
        left -= one.calls
        if left < 0 or len(kept) >= most:
            break
        kept.append(one)
    return sorted(kept, key=lambda one: one.seconds_and_dollars())


def nearest(
    front: Sequence[Item], goal: Goal | None, calls: float, fewest: int, missing_s: float
) -> list[Item]:
    """A few of a front: the fastest, the cheapest, and those near a goal.

    Args:
        front: the fastest first.
        goal: None for some from all over the front.
        calls: how many calls may be simulated.
        fewest: how many there are at least, however many calls they have; at least two.
        missing_s: what is missing from the seconds of each.
    """
    room = max(fewest, int(calls * len(front) / sum(one.calls for one in front)))
    if len(front) <= room:
        return list(front)
    if goal is None:
        step = (len(front) - 1) / (room - 1)
        kept = {round(place * step) for place in range(room)}
    else:
        off = [_distance(*one.seconds_and_dollars(), goal, missing_s) for one in front]
        inner = sorted(range(1, len(front) - 1), key=lambda place: off[place])
        kept = {0, len(front) - 1, *inner[: room - 2]}
    return [front[place] for place in sorted(kept)]


def _distance(seconds: float, usd: float, goal: Goal, missing_s: float) -> float:
    """How far that is from a goal."""
    if goal.within_s is not None:
        return abs(log((seconds + missing_s) / goal.within_s))
    return abs(log(usd / (goal.budget_usd or 0.0)))
