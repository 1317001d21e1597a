"""How the crf's of a film's batches are found for a target, from encodes of some of them.

A short film is sampled whole. Of a longer one, samples are of all grades of difficulty, and the
batches between them are taken to need as many bits for their difficulty as all samples together.
Samples are encoded in a few rounds, each nearer to the target, as bits and losses change by about
the same factor with each step of `crf`; the first round has few of them. Then each batch gets one
of two neighbouring crf's, so that their sum meets the target.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, combinations, pairwise
from typing import Any, Self

from excamera.job.records import ProbeRecord
from excamera.job.target import Target, to_db

ROUNDS = 4
"""In which samples are encoded, at most; in one more the crf's are chosen."""

SAMPLED_WHOLE = 48
"""Batches of a film that is sampled whole.

Bits for the difficulty that a survey has found differ by a fifth from batch to batch. If about 80
of 120 batches are known, or 160 of any number, that makes 1.2 to 1.5% of the film."""

_FURTHER, _MOST_SAMPLES = 2, 160
"""Of more batches one in so many is a sample, too."""

AT_FIRST = 24
"""Samples of the first round, whose crf is a guess."""

_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, without their whole part, are spread evenly however many are taken."""

_NEAR = 0.75
"""Steps of crf from an encoded sample within which two points of each sample say enough."""

_NEAR_ONE = 0.25
"""Likewise one point, whose slope is assumed."""

_EXACT, _GOOD = 0.005, 0.01
"""By which share a film that was encoded whole may miss its rate: no further round is worth it, if
it has few batches; or it is better than what can be expected of other crf's."""

_FEW = 24
"""Batches of a film of which one step for one batch is too much, so that two are changed."""

_APART = 1.5
"""By how many steps of crf batches of a film may differ."""

_FLATTEST, _STEEPEST = 1 / 3, 3.0
"""The slope of a sample, as a multiple of the usual one, beyond what was encoded."""

_AT_END = 1e-6
_HALVINGS = 50
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Sample:
    """A batch that is encoded for a trial.

    Attributes:
        batch: its number.
        frames: of the batch.
        at_first: whether it is encoded in the first round.
    """

    batch: int
    frames: int
    at_first: bool


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is tried of a film.

    Attributes:
        plan: digest of the plan.
        samples: the easiest for its frames first.
        frames: of every batch.
        costs: how hard each batch is to encode, in any unit.
        changes: what the zone of each batch adds to its crf; all crf's here are without it.
        guess: the crf of the first round.
        octave: steps of `crf` that usually halve the bits, and double a loss.
        best: the smallest crf; that of x264 which is lossless, in another profile, is none.
        worst: the largest crf.
        grid: see `EncodeOptions.crf_grid`.
    """

    plan: str
    samples: list[Sample]
    frames: list[int]
    costs: list[float]
    changes: list[float]
    guess: float
    octave: float
    best: float
    worst: float
    grid: float

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` returned."""
        return cls(**{**data, "samples": [Sample(**one) for one in data["samples"]]})


def rounds_of(samples: int, at_once: int) -> list[dict[str, Any]]:
    """What the flow maps over for so many samples: rounds, and which of them each encodes.

    Args:
        samples: how many; none without a target.
        at_once: how many may be encoded at the same time.
    """
    if not samples:
        return []
    numbers = list(range(samples))
    tried = [{"round": one, "samples": numbers, "at_once": at_once} for one in range(ROUNDS)]
    return [*tried, {"round": ROUNDS, "samples": [0], "at_once": 1}]


def sample_count(batches: int) -> int:
    """How many samples a film of so many batches has."""
    most = SAMPLED_WHOLE + max(0, batches - SAMPLED_WHOLE) // _FURTHER
    return min(batches, most, _MOST_SAMPLES)


def sampled(frames: Sequence[int], costs: Sequence[float]) -> list[Sample]:
    """The samples of a film.

    Args:
        frames: of every batch.
        costs: see `Sampling.costs`.
    """
    count, samples = len(frames), sample_count(len(frames))
    order = sorted(range(count), key=lambda one: (costs[one] / frames[one], one))
    borders = [count * number // samples for number in range(samples + 1)]
    found = []
    for number, (first, end) in enumerate(pairwise(borders)):
        # Any fixed place, as the middle, would leave out the easiest and the hardest, which both
        # take more bits than their difficulty says.
        batch = order[first + int((number + 1) * _GOLDEN % 1 * (end - first))]
        at_first = number * AT_FIRST // samples != (number - 1) * AT_FIRST // samples
        found.append(Sample(batch, frames[batch], at_first or samples <= AT_FIRST))
    return found


class Aim:
    """What the samples that were encoded so far say of a film.

    Args:
        sampling: the samples.
        tried: of each sample, its records; there may be none of those that are not `at_first`.
        target: of the job.
        wanted: the bits of all batches, if the target is a rate or size.
    """

    def __init__(
        self,
        sampling: Sampling,
        tried: Sequence[Sequence[ProbeRecord]],
        target: Target,
        wanted: float,
    ) -> None:
        self._sampling = sampling
        self._target = target
        points = {
            sample.batch: {one.crf: self._value(one, sample) for one in records}
            for sample, records in zip(sampling.samples, tried, strict=True)
            if records
        }
        slope = self._slope * _steepness(points.values(), self._slope)
        self._curves = {batch: _Curve(some, slope) for batch, some in points.items()}
        weights = [self._weight(batch) for batch in range(len(sampling.frames))]
        known = sum(weights[batch] for batch in self._curves)
        self._shares = [0.0 if n in points else one / known for n, one in enumerate(weights)]
        self._all_shares = sum(self._shares)
        self._sums: dict[float, float] = {}
        self._wanted = self._loss_wanted(target) if target.is_quality else wanted
        self.crf = self._solved()

    @property
    def _slope(self) -> float:
        return (1.0 if self._target.is_quality else -1.0) / self._sampling.octave

    def _value(self, record: ProbeRecord, sample: Sample) -> float:
        if self._target.is_quality:
            return record.loss * sample.frames / sum(self._sampling.frames)
        # A sample may be the beginning of its batch, which has the batch's only key frame.
        rest = (record.bytes - record.key_bytes) / max(1, record.frames - 1)
        return 8 * (record.key_bytes + rest * (sample.frames - 1))

    def _weight(self, batch: int) -> float:
        """What a batch probably adds to the film with any crf, in a unit of its own."""
        sampling = self._sampling
        by_zone = float(2 ** (sampling.changes[batch] * self._slope))
        many = sampling.frames if self._target.is_quality else sampling.costs
        return by_zone * many[batch]

    @staticmethod
    def _loss_wanted(target: Target) -> float:
        return float(10 ** (-target.wanted / 10))

    def at(self, crf: float) -> float:
        """The bits of the film, or its mean loss, if all batches had that crf."""
        return self._known_at(crf) * (1 + self._all_shares)

    def _known_at(self, crf: float) -> float:
        """The same of the batches that have been encoded."""
        if crf not in self._sums:
            self._sums[crf] = sum(curve.at(crf) for curve in self._curves.values())
        return self._sums[crf]

    def _of(self, batch: int, crf: float) -> float:
        """What a batch adds to the film."""
        curve = self._curves.get(batch)
        return self._shares[batch] * self._known_at(crf) if curve is None else curve.at(crf)

    def _solved(self) -> float:
        low, high = self._sampling.best, self._sampling.worst
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if (self.at(middle) < self._wanted) == self._target.is_quality:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    @property
    def is_limited(self) -> bool:
        """Whether the target lies beyond the best or the worst crf."""
        sampling = self._sampling
        return not sampling.best + _AT_END < self.crf < sampling.worst - _AT_END

    @property
    def is_best(self) -> bool:
        """Whether it lies nearer to the best."""
        return 2 * self.crf < self._sampling.best + self._sampling.worst

    @property
    def is_enough(self) -> bool:
        """Whether another round would not be worth its work."""
        if len(self._curves) < len(self._sampling.samples):
            return False
        crfs = self.crfs()
        if all(crfs[batch] in curve.crfs for batch, curve in self._curves.items()):
            return True
        if self._is_whole:
            enough = _EXACT if len(crfs) <= _FEW else _GOOD
            return self._best_known is not None and self._error(self._best_known) <= enough
        # All samples have been encoded at about the same places in the last round.
        some = [curve.crfs for curve in self._curves.values()]
        near = _NEAR if any(len(crfs) > 1 for crfs in some) else _NEAR_ONE
        return all(min(abs(self.crf - one) for one in crfs) <= near for crfs in some)

    @property
    def _is_whole(self) -> bool:
        """Whether all batches are encoded, so that what comes out can be known exactly."""
        return len(self._curves) == len(self._sampling.frames)

    def _error(self, crfs: Sequence[float]) -> float:
        """By how much crf's miss the target: as a share, or in tens of dB."""
        expected = self.expected(crfs)
        if self._target.is_quality:
            return abs(expected - self._target.wanted) / 10
        return abs(expected / self._wanted - 1)

    def crfs(self) -> list[float]:
        """The crf of every batch.

        If all batches have been encoded with crf's that together meet the target, it is these:
        between two of them bits follow no smooth curve.
        """
        if not self._is_whole:
            return self._spread()
        known = self._best_known
        if known is not None and self._error(known) <= _GOOD:
            return known
        spread, grid = self._spread(), self._sampling.grid
        best, worst = self._sampling.best, self._sampling.worst
        near = [
            [crf for crf in (own - grid, own, own + grid) if best <= crf <= worst] for own in spread
        ]
        return self._refined(spread, near)

    @cached_property
    def _best_known(self) -> list[float] | None:
        """The best of the crf's with which all batches were encoded, if they are near enough."""
        near = [
            [crf for crf in self._curves[batch].crfs if abs(crf - self.crf) <= _APART]
            for batch in range(len(self._curves))
        ]
        if not all(near):
            return None
        nearest = [min(some, key=lambda crf: (abs(crf - self.crf), crf)) for some in near]
        return self._refined(nearest, near)

    def _refined(self, crfs: list[float], choices: Sequence[Sequence[float]]) -> list[float]:
        """Better crf's than those, with others for one or two batches.

        In a short film, one step for one batch may be several per cent of the film.
        """
        moves = [
            (batch, crf)
            for batch, (own, some) in enumerate(zip(crfs, choices, strict=True))
            for crf in some
            if crf != own
        ]
        ways = [crfs]
        pairs = combinations(moves, 2) if len(crfs) <= _FEW else ()
        for some in chain(combinations(moves, 1), pairs):
            changed = dict(some)
            ways.append([changed.get(batch, own) for batch, own in enumerate(crfs)])
        return min(ways, key=self._error)

    def _spread(self) -> list[float]:
        """One of two neighbouring crf's for each batch, spread evenly over the film."""
        grid, best, worst = self._sampling.grid, self._sampling.best, self._sampling.worst
        low = min(max(math.floor(self.crf / grid + _LEAST) * grid, best), worst)
        high = min(low + grid, worst)
        span = self.at(high) - self.at(low)
        share = 0.0 if not span else min(max((self._wanted - self.at(low)) / span, 0.0), 1.0)
        owed, found = 0.0, []
        for change in self._changes(low, high):
            owed += share * change
            rises = owed >= change / 2 and share > 0
            owed -= change if rises else 0.0
            found.append(high if rises else low)
        return found

    def _changes(self, low: float, high: float) -> Iterator[float]:
        """By how much each batch changes the film from one crf to the next."""
        for batch in range(len(self._sampling.frames)):
            yield abs(self._of(batch, high) - self._of(batch, low))

    def expected(self, crfs: Sequence[float]) -> float:
        """The bits of the film, or its quality in dB, with a crf for each batch."""
        total = sum(self._of(batch, crf) for batch, crf in enumerate(crfs))
        return to_db(total) if self._target.is_quality else total


def _steepness(tried: Iterable[Mapping[float, float]], usual: float) -> float:
    """The mean slope of the samples that were encoded more than once, as a multiple of the usual.

    It stands for that of the others; it is 1 if there are none.
    """
    slopes = []
    for points in tried:
        if len(points) > 1:
            (x, before), *_, (y, after) = sorted(points.items())
            change = math.log2(max(after, _LEAST)) - math.log2(max(before, _LEAST))
            slopes.append(min(max(change / (y - x) / usual, _FLATTEST), _STEEPEST))
    return sum(slopes) / len(slopes) if slopes else 1.0


class _Curve:
    """A number of a sample by its crf, whose logarithm changes about linearly."""

    def __init__(self, points: Mapping[float, float], slope: float) -> None:
        self.crfs = sorted(points)
        self._logs = [math.log2(max(points[crf], _LEAST)) for crf in self.crfs]
        self._slope = slope

    def at(self, crf: float) -> float:
        """The number at a crf, between and beyond those that were tried."""
        place = min(max(sum(one <= crf for one in self.crfs), 1), max(len(self.crfs) - 1, 1)) - 1
        slope = self._slope
        if len(self.crfs) > 1:
            (x, after), (y, later) = self.crfs[place : place + 2], self._logs[place : place + 2]
            slope = (later - y) / (after - x)
            if not x <= crf <= after:
                steep = min(max(slope / self._slope, _FLATTEST), _STEEPEST)
                slope = steep * self._slope
        nearest = min(range(len(self.crfs)), key=lambda one: (abs(self.crfs[one] - crf), one))
        return float(2 ** (self._logs[nearest] + slope * (crf - self.crfs[nearest])))
