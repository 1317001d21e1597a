"""Finds the few ways to do a job that are worth a simulation, among some hundred, by arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log

from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.price.choices import Choice, Item, front_of
from excamera.price.costs import Shape
from excamera.price.estimate import Estimate, Film, Pace, Workers, estimate
from excamera.price.structures import structures
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
    frames = min(film.frames, options.longest_batch)
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


def worth_it(found: Iterable[Candidate], room: int) -> list[Candidate]:
    """The candidates that no other beats by its estimate, the fastest first.

    If there is room, also those that only these beat: an estimate is not exact.
    """
    every = list(found)
    front = front_of(every, Candidate.seconds_and_dollars)
    rest = front_of([one for one in every if one not in front], Candidate.seconds_and_dollars)
    if len(front) + len(rest) > room:
        return front
    return sorted([*front, *rest], key=Candidate.seconds_and_dollars)


def nearest(
    front: Sequence[Item],
    of: Callable[[Item], tuple[float, float]],
    goal: Goal | None,
    room: int,
    missing_s: float = 0.0,
) -> list[Item]:
    """A few of a front: the fastest, the cheapest, and those near a goal.

    Args:
        front: the fastest first.
        of: the seconds and the dollars of one.
        goal: None for some from all over the front.
        room: how many, at least two.
        missing_s: what the seconds leave out.
    """
    if len(front) <= room:
        return list(front)
    if goal is None:
        step = (len(front) - 1) / (room - 1)
        kept = {round(place * step) for place in range(room)}
    else:
        off = [_distance(*of(one), goal, missing_s) for one in front]
        inner = sorted(range(1, len(front) - 1), key=lambda place: off[place])
        kept = {0, len(front) - 1, *inner[: room - 2]}
    return [front[place] for place in sorted(kept)]


def _distance(seconds: float, usd: float, goal: Goal, missing_s: float) -> float:
    """How far that is from a goal."""
    if goal.within_s is not None:
        return abs(log((seconds + missing_s) / goal.within_s))
    return abs(log(usd / (goal.budget_usd or 0.0)))
