"""How well each picture of a batch has to be coded, by how much is predicted from it.

A macroblock that later pictures copy lends them its quality, so its bits count many times: the
key frame of a still scene is worth more bits than all other frames, and fast motion is coded
evenly. The measure is that of x264's macroblock tree: what a macroblock passes on is the share of
a later one that its prediction explains, with all that the later one passes on itself. An anchor
is boosted only for what it adds: what it copies from the anchor before has that quality already.

What is coded ahead is coded from pictures with less noise (`codec.steady`): noise costs bits, and
the pictures that would inherit it have noise of their own.

Shares are estimated on sketches of the source (`codec.Sketch`). A batch has many pictures, so those
between two anchors are represented by a few.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import codec
from excamera.job.options import QI_OF_CRF

Blocks = NDArray[np.float64]
"""A number for each block of a sketch: shape (rows, columns)."""

_SAMPLES = 2
"""Pictures that represent those between two anchors."""

_STRENGTH = 0.4
"""Halvings of the quantizer step for each doubling of what is predicted from a macroblock."""

_UNCODED = 2.0
"""A difference of so many quantizer steps for a block of a sketch would not be coded."""

_COPIED = 10.0
"""Of blocks with a difference of so many steps, half are copied without coding the difference."""

_SMALLEST_COST = 32.0
"""Blocks that cost less alone are all alike: there is nothing to explain in them."""

_EVEN = 0.35
"""How much of the square of the pictures' mean gain all steps give back: `crf` then means about the
same quality as in one sequential encode. Small gains change what is seen less than large ones."""

_SEGMENTS = 4
_LEAST_SPREAD_QI = 6
"""Macroblocks get segments if their quantizers differ by as much as this."""

_FIRST_CENTRES = (0.08, 0.35, 0.65, 0.92)
_ROUNDS = 12
"""Of the search for segments."""

_QUARTERS_OF_BLOCK = 32

_REACH, _REACH_OF_FIRST = 3, 6
"""How many pictures before and after an anchor are averaged with it, and after the key frame."""

_NOISE = 5.0
"""Blocks whose mean difference is as much, in grey levels, are not the same but for noise."""

_NOISE_OF_STEP = 0.25
"""Less is averaged if the quantizer step is small: noise is then to be seen."""


@dataclass(frozen=True, slots=True)
class Quantizer:
    """How finely a frame is coded.

    Attributes:
        y_ac_qi: of the frame.
        segments: kinds of macroblocks with other quantizers; None if all have the frame's.
    """

    y_ac_qi: int
    segments: codec.Segments | None


@dataclass(frozen=True, slots=True)
class Quantizers:
    """Those of a batch.

    Attributes:
        ahead: of the frames that are coded ahead: the key frame and the anchors.
        ordinary: `y_ac_qi` of the others.
    """

    ahead: list[Quantizer]
    ordinary: int


@dataclass(frozen=True, slots=True)
class _Sample:
    """A picture between two anchors, which stands for several.

    Attributes:
        gap: the number of the anchor before it.
        steps: how many pictures it comes after that.
        weight: how many pictures it stands for.
        intra: costs, as `codec.Sketch.intra_costs` returns them.
        before: motion from the anchor before it.
        after: motion from the anchor after it.
        last: motion from the picture before it.
    """

    gap: int
    steps: int
    weight: float
    intra: NDArray[np.uint16]
    before: codec.Motion
    after: codec.Motion
    last: codec.Motion


def coded_ahead(lengths: Sequence[int]) -> list[int]:
    """Numbers of the pictures of a batch that are coded ahead: the first, and each chunk's last."""
    ends = np.cumsum(lengths) - 1
    return [0, *(int(end) for end in ends if end > 0)]


class Lookahead:
    """What the pictures of a batch are to each other.

    Attributes:
        pictures: those that are coded ahead, with less noise.
    """

    def __init__(
        self, pictures: Iterable[codec.Raster], lengths: Sequence[int], crf: int, threads: int
    ) -> None:
        """Reads a batch.

        Args:
            pictures: all of the batch, in order; only a few are kept at a time.
            lengths: frames of each chunk.
            crf: quality.
            threads: how many share the work on a picture.
        """
        self._step = codec.quantizer_steps()[QI_OF_CRF[crf]]
        numbers = coded_ahead(lengths)
        samples = dict(_sample_numbers(numbers))
        sketched = {*numbers, *samples, *(number - 1 for number in samples)}
        sketches: dict[int, codec.Sketch] = {}

        def watched() -> Iterator[codec.Raster]:
            for number, picture in enumerate(pictures):
                if number in sketched:
                    sketches[number] = codec.Sketch(picture)
                yield picture

        self.pictures = list(_steadied(watched(), numbers, self._step, threads))
        self._shape = _macroblocks(self.pictures[0])
        self._intra = [sketches[number].intra_costs() for number in numbers]
        self._motion = [
            sketches[after].motion_from(sketches[before])
            for before, after in itertools.pairwise(numbers)
        ]
        self._samples = [
            _Sample(
                gap,
                number - numbers[gap],
                weight,
                sketches[number].intra_costs(),
                sketches[number].motion_from(sketches[numbers[gap]]),
                sketches[number].motion_from(sketches[numbers[gap + 1]]),
                sketches[number].motion_from(sketches[number - 1]),
            )
            for number, (gap, weight) in samples.items()
        ]

    def quantizers(self) -> Quantizers:
        """The quantizers of the batch."""
        octaves, mean = self._octaves(self._step)
        base = self._step * 2.0 ** (_EVEN * mean**2)
        return Quantizers(
            [_quantizer(self._of_macroblocks(one), base) for one in octaves], _nearest_qi(base)
        )

    def _of_macroblocks(self, blocks: Blocks) -> Blocks:
        """Numbers of macroblocks from those of blocks, which may cover two by two of them."""
        rows, columns = self._shape
        if blocks.shape == self._shape:
            return blocks
        doubled = blocks.repeat(2, axis=0).repeat(2, axis=1)
        return doubled[:rows, :columns]

    def _octaves(self, step: float) -> tuple[list[Blocks], float]:
        """How much finer than the others each block of a frame coded ahead should be.

        Args:
            step: quantizer step of the other frames.

        Returns:
            For each frame coded ahead, its blocks' steps against the others', as logarithms to
            base 2; and the mean of what all later pictures gain by them.
        """
        passed_on = [np.zeros(intra.shape) for intra in self._intra]
        for sample in self._samples:
            before, after, last = (
                _share(motion.costs, sample.intra, step)
                for motion in (sample.before, sample.after, sample.last)
            )
            # Explained by the anchor before it, directly or through the pictures between.
            before = np.maximum(before, last**sample.steps)
            nearer = np.where(before >= after, sample.weight, 0.0)
            _pass_on(passed_on[sample.gap], nearer * before, sample.before)
            _pass_on(passed_on[sample.gap + 1], (sample.weight - nearer) * after, sample.after)
        octaves: list[Blocks] = []
        for number in range(len(self._intra) - 1, -1, -1):
            share = np.zeros(self._intra[0].shape)
            if number:
                motion = self._motion[number - 1]
                share = _share(motion.costs, self._intra[number], step)
                _pass_on(passed_on[number - 1], (1 + passed_on[number]) * share, motion)
            octaves.insert(0, -_STRENGTH * np.log2(1 + passed_on[number] * (1 - share)))
        return octaves, self._mean_gain(octaves, step)

    def _mean_gain(self, octaves: Sequence[Blocks], step: float) -> float:
        """The mean of what all pictures but the first have of the finer steps."""
        effective = [octaves[0]]
        for own, motion in zip(octaves[1:], self._motion, strict=True):
            copied = _copied(motion.costs, step)
            there = copied * _at(effective[-1], motion) + (1 - copied) * own
            effective.append(np.minimum(own, there))
        gains = [(1.0, float(one.mean())) for one in effective[1:]]
        for sample in self._samples:
            before, after, last = (
                _copied(motion.costs, step) for motion in (sample.before, sample.after, sample.last)
            )
            before = np.maximum(before, last**sample.steps)
            gain = np.where(
                before >= after,
                before * _at(effective[sample.gap], sample.before),
                after * _at(effective[sample.gap + 1], sample.after),
            )
            gains.append((sample.weight, float(gain.mean())))
        weight = sum(weight for weight, _ in gains)
        return sum(weight * gain for weight, gain in gains) / weight if weight else 0.0


def _sample_numbers(numbers: Sequence[int]) -> Iterator[tuple[int, tuple[int, float]]]:
    """The numbers of samples, and for each the gap it lies in and its weight."""
    for gap, (before, after) in enumerate(itertools.pairwise(numbers)):
        between = after - before - 1
        count = min(_SAMPLES, between)
        for index in range(count):
            place = (2 * index + 1) * between // (2 * count)
            yield before + 1 + place, (gap, between / count)


def _steadied(
    pictures: Iterable[codec.Raster], numbers: Sequence[int], step: float, threads: int
) -> Iterator[codec.Raster]:
    """The pictures of these numbers, each averaged with what is the same in those around it."""
    most = min(_NOISE, step * _NOISE_OF_STEP)
    kept: dict[int, codec.Raster] = {}
    waiting = deque(numbers)

    def ready() -> codec.Raster:
        number = waiting.popleft()
        reach = _REACH if number else _REACH_OF_FIRST
        around = [kept[one] for one in sorted(kept) if 0 < abs(one - number) <= reach]
        return codec.steady(kept[number], around, most, threads=threads)

    for number, picture in enumerate(pictures):
        kept[number] = picture
        while waiting and number >= waiting[0] + (_REACH if waiting[0] else _REACH_OF_FIRST):
            yield ready()
        oldest = waiting[0] - _REACH if waiting else number
        for old in [one for one in kept if one < oldest]:
            del kept[old]
    while waiting:
        yield ready()


def _macroblocks(picture: codec.Raster) -> tuple[int, int]:
    return (picture.height + 15) // 16, (picture.width + 15) // 16


def _share(costs: NDArray[np.uint16], intra: NDArray[np.uint16], step: float) -> Blocks:
    """The share of each block that its prediction explains, 0 to 1."""
    uncoded = _UNCODED * step
    alone = np.maximum(intra - uncoded, 0) + _SMALLEST_COST
    share: Blocks = np.clip(1 - np.maximum(costs - uncoded, 0) / alone, 0, 1)
    return share


def _copied(costs: NDArray[np.uint16], step: float) -> Blocks:
    """The share of each block that is copied as it is, without coded residue, 0 to 1."""
    copied: Blocks = 1 / (1 + (costs / (_COPIED * step)) ** 2)
    return copied


def _places(motion: codec.Motion) -> tuple[Blocks, Blocks]:
    """Where the blocks of a picture come from: fractional rows and columns of blocks."""
    rows, columns = motion.costs.shape
    row = np.arange(rows)[:, None] + motion.vectors[..., 0] / _QUARTERS_OF_BLOCK
    column = np.arange(columns)[None, :] + motion.vectors[..., 1] / _QUARTERS_OF_BLOCK
    return np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)


def _pass_on(target: Blocks, amounts: Blocks, motion: codec.Motion) -> None:
    """Adds what blocks pass on to those they are predicted from, which may be up to four."""
    rows, columns = target.shape
    row, column = _places(motion)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = row - top, column - left
    bottom, beside = np.minimum(top + 1, rows - 1), np.minimum(left + 1, columns - 1)
    np.add.at(target, (top, left), amounts * (1 - down) * (1 - right))
    np.add.at(target, (top, beside), amounts * (1 - down) * right)
    np.add.at(target, (bottom, left), amounts * down * (1 - right))
    np.add.at(target, (bottom, beside), amounts * down * right)


def _at(values: Blocks, motion: codec.Motion) -> Blocks:
    """The values at the places that the blocks of a picture come from."""
    row, column = _places(motion)
    found: Blocks = values[np.rint(row).astype(int), np.rint(column).astype(int)]
    return found


def _nearest_qi(step: float) -> int:
    return int(np.abs(np.log2(codec.quantizer_steps()) - math.log2(step)).argmin())


def _quantizer(octaves: Blocks, step: float) -> Quantizer:
    """The quantizer of a frame whose macroblocks should be so much finer than `step`."""
    levels = np.log2(step) + octaves
    mean = _nearest_qi(2.0 ** float(levels.mean()))
    finest, coarsest = (_nearest_qi(2.0 ** float(one)) for one in (levels.min(), levels.max()))
    if coarsest - finest < _LEAST_SPREAD_QI:
        return Quantizer(mean, None)
    segments = _grouped(levels)
    qis = [
        _nearest_qi(2.0 ** float(levels[segments == one].mean())) if (segments == one).any() else 0
        for one in range(_SEGMENTS)
    ]
    base = qis[int(np.bincount(segments.ravel(), minlength=_SEGMENTS).argmax())]
    first, second, third, fourth = (qi - base for qi in qis)
    deltas = (first, second, third, fourth)
    return Quantizer(base, codec.Segments(segments.astype(np.uint8), deltas))


def _grouped(levels: Blocks) -> NDArray[np.int64]:
    """Four groups of similar values, by Lloyd's algorithm from quantiles."""
    centres = np.quantile(levels, _FIRST_CENTRES)
    for _ in range(_ROUNDS):
        groups = np.abs(levels[..., None] - centres).argmin(-1)
        centres = np.array(
            [
                levels[groups == one].mean() if (groups == one).any() else centres[one]
                for one in range(_SEGMENTS)
            ]
        )
    found: NDArray[np.int64] = np.abs(levels[..., None] - centres).argmin(-1)
    return found
