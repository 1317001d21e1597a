"""How well each picture of a batch has to be coded, by how much is predicted from it.

A macroblock that later pictures copy lends them its quality, so its bits count many times: the
key frame of a still scene is worth more bits than all other frames, and fast motion is coded
evenly. The measure is that of x264's macroblock tree: what a macroblock passes on is the share of
a later one that its prediction explains, with all that the later one passes on itself. An anchor
is boosted only for what it adds: what it copies from the anchor before has that quality already.

Shares are estimated on sketches of the source (`codec.Sketch`). A batch has many pictures, so those
between two anchors are represented by a few. What all this does to quality is not estimated but
tried on some of these pictures (`excamera/media/trials.py`). So `crf` means about the same as in
one sequential encode.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import codec
from excamera.job.cut import USUAL_BATCH
from excamera.job.encoders import QI_OF_CRF
from excamera.job.options import EncodeOptions
from excamera.media.losses import Lost, even_octaves
from excamera.media.quantizers import Blocks, Quantizer, nearest_qi, quantizer
from excamera.media.steadying import steadied
from excamera.media.trials import Ahead, Tiles, Trial, try_pictures

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

_KEPT = 2.0
"""Anchors copy differences so many times larger: their own finer steps add to what they copy."""

_SHARP_IF_MOVED = 0.85
"""What is left of finer steps if an anchor copies with motion, which interpolates pixels."""

_EVEN = 0.6
"""How much of the pictures' mean gain all steps give back, if trials do not find another share."""

_TRIALS = 4
"""How many of the samples of a batch are tried."""

_QUARTERS_OF_BLOCK = 32


@dataclass(frozen=True, slots=True)
class Quantizers:
    """Those of a batch.

    Attributes:
        ahead: of the frames that are coded ahead: the key frame and the anchors.
        ordinary: `y_ac_qi` of the others.
        step: that the others should have.
    """

    ahead: list[Quantizer]
    ordinary: int
    step: float


def lost_of(
    pictures: Iterable[codec.Raster], count: int, options: EncodeOptions, threads: int
) -> Iterator[Lost]:
    """What is lost of a film, or of a span of it, as if all its batches were usual ones.

    Args:
        pictures: all of them, in order; only a few are kept at a time.
        count: how many there are.
        options: quality, and the usual length of a chunk.
        threads: how many share the work on a picture.
    """
    remaining, usual, crf = iter(pictures), options.lengths.usual_frames, options.crf
    for first in range(0, count, USUAL_BATCH):
        frames = min(USUAL_BATCH, count - first)
        lengths = [min(usual, frames - start) for start in range(0, frames, usual)]
        yield Lookahead(itertools.islice(remaining, frames), lengths, crf, threads).lost()


@dataclass(frozen=True, slots=True)
class _Sample:
    """A picture between two anchors, which stands for several.

    Attributes:
        gap: the number of the anchor before it.
        steps: how many pictures it comes after that.
        weight: how many pictures it stands for.
        intra: costs, as `codec.Sketch.intra_costs` returns them.
        before: motion from the anchor before it.
        after: motion from the anchor after it; None if there is none.
        last: motion from the picture before it.
    """

    gap: int
    steps: int
    weight: float
    intra: NDArray[np.uint16]
    before: codec.Motion
    after: codec.Motion | None
    last: codec.Motion


def step_of(crf: float) -> float:
    """The quantizer step of a crf; between two whole numbers on the curve through theirs."""
    steps, whole = codec.quantizer_steps(), int(crf)
    step = float(steps[QI_OF_CRF[whole]])
    if crf == whole:
        return step
    return float(step * (steps[QI_OF_CRF[whole + 1]] / step) ** (crf - whole))


def coded_ahead(lengths: Sequence[int]) -> list[int]:
    """Numbers of the pictures of a batch that are coded ahead.

    They are the first, and the last of each chunk but the last chunk, which needs no anchor.
    """
    ends = np.cumsum(lengths[:-1]) - 1
    return [0, *(int(end) for end in ends if end > 0)]


class Lookahead:
    """What the pictures of a batch are to each other.

    Attributes:
        pictures: those that are coded ahead, with less noise.
    """

    def __init__(
        self, pictures: Iterable[codec.Raster], lengths: Sequence[int], crf: float, threads: int
    ) -> None:
        """Reads a batch.

        Args:
            pictures: all of the batch, in order; only a few are kept at a time.
            lengths: frames of each chunk.
            crf: quality; between two whole numbers, quantizer steps are between theirs.
            threads: how many share the work on a picture.
        """
        self._step = step_of(crf)
        self._y_ac_qi = nearest_qi(self._step)
        self._threads = threads
        numbers = coded_ahead(lengths)
        samples = dict(_sample_numbers(numbers, sum(lengths)))
        tried = _spread(list(samples), _TRIALS)
        sketched = {*numbers, *samples, *(number - 1 for number in samples)}
        sketches: dict[int, codec.Sketch] = {}
        tiles: dict[int, Tiles] = {}

        def watched() -> Iterator[codec.Raster]:
            previous: codec.Raster | None = None
            for number, picture in enumerate(pictures):
                if number in sketched:
                    sketches[number] = codec.Sketch(picture)
                if number in tried and previous is not None:
                    tiles[number] = Tiles.of(picture, previous, len(tiles))
                previous = picture
                yield picture

        self.pictures = list(steadied(watched(), numbers, self._step, threads))
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
                sketches[number].motion_from(sketches[numbers[gap + 1]])
                if gap + 1 < len(numbers)
                else None,
                sketches[number].motion_from(sketches[number - 1]),
            )
            for number, (gap, weight) in samples.items()
        ]
        self._tiles = [tiles.get(number) for number in samples]

    def lost(self) -> Lost:
        """What is lost of the batch, by a sequential encode and between anchors."""
        octaves = self._octaves(self._step)
        expected = -_EVEN * self._mean_gain(self._effective(octaves), self._step)
        octaves = self._octaves(self._step * 2.0**expected)
        effective = self._effective(octaves)
        trials = list(self._trials(*map(self._of_all_macroblocks, (octaves, effective))))
        return try_pictures(trials, self._y_ac_qi, expected, self._threads)

    def quantizers(self, even: float | None = None) -> Quantizers:
        """The quantizers of the batch.

        Args:
            even: how much coarser than the sequential encode's its steps are to be, as a logarithm
                to base 2; None for as much as makes this batch look as in a sequential encode.
        """
        if even is None:
            even = even_octaves([self.lost()])
        base = self._step * 2.0**even
        ahead = self._of_all_macroblocks(self._octaves(base))
        return Quantizers([quantizer(one, base) for one in ahead], nearest_qi(base), base)

    def _trials(self, octaves: Sequence[Blocks], effective: Sequence[Blocks]) -> Iterator[Trial]:
        """The trials of a batch.

        Args:
            octaves: of the macroblocks of each frame coded ahead, as in `_octaves`.
            effective: likewise, as in `_effective`.
        """
        for sample, tiles in zip(self._samples, self._tiles, strict=True):
            if tiles is not None:
                gap = sample.gap
                after = None
                if sample.after is not None:
                    place = self.pictures[gap + 1], octaves[gap + 1]
                    after = Ahead.of(tiles, sample.after, *place)
                yield Trial(
                    tiles,
                    # As it looks, in one frame: the pictures it was coded from are left out.
                    Ahead.of(tiles, sample.before, self.pictures[gap], effective[gap]),
                    after,
                    sample.weight,
                    1 / _SAMPLES if after else 0.0,
                )

    def _of_all_macroblocks(self, pictures: Sequence[Blocks]) -> list[Blocks]:
        return [self._of_macroblocks(one) for one in pictures]

    def _of_macroblocks(self, blocks: Blocks) -> Blocks:
        """Numbers of macroblocks from those of blocks, which may cover two by two of them."""
        rows, columns = self._shape
        if blocks.shape == self._shape:
            return blocks
        doubled = blocks.repeat(2, axis=0).repeat(2, axis=1)
        return doubled[:rows, :columns]

    def _octaves(self, step: float) -> list[Blocks]:
        """How much finer than the others each block of a frame coded ahead should be.

        Args:
            step: quantizer step of the other frames. Those coded ahead have about that of the
                sequential encode.

        Returns:
            For each frame coded ahead, its blocks' steps against the others', as logarithms to
            base 2.
        """
        passed_on = [np.zeros(intra.shape) for intra in self._intra]
        for sample in self._samples:
            before, last = (
                _share(motion.costs, sample.intra, step) for motion in (sample.before, sample.last)
            )
            # Explained by the anchor before it, directly or through the pictures between.
            before = np.maximum(before, last**sample.steps)
            nearer = np.full(before.shape, sample.weight)
            if sample.after is not None:
                after = _share(sample.after.costs, sample.intra, step)
                nearer = np.where(before >= after, sample.weight, 0.0)
                farther = (sample.weight - nearer) * after
                _pass_on(passed_on[sample.gap + 1], farther, sample.after)
            _pass_on(passed_on[sample.gap], nearer * before, sample.before)
        octaves: list[Blocks] = []
        for number in range(len(self._intra) - 1, -1, -1):
            share = np.zeros(self._intra[0].shape)
            if number:
                motion = self._motion[number - 1]
                moved = motion.vectors.any(axis=-1)
                steps = np.where(moved, self._step, step)
                share = _share(motion.costs, self._intra[number], steps)
                _pass_on(passed_on[number - 1], (1 + passed_on[number]) * share, motion)
            octaves.insert(0, -_STRENGTH * np.log2(1 + passed_on[number] * (1 - share)))
        return octaves

    def _effective(self, octaves: Sequence[Blocks]) -> list[Blocks]:
        """The octaves that frames coded ahead seem to have, with what they copy."""
        effective = [octaves[0]]
        for own, motion in zip(octaves[1:], self._motion, strict=True):
            sharp = np.where(motion.vectors.any(axis=-1), _SHARP_IF_MOVED, 1.0)
            copied = sharp * _copied(motion.costs, _KEPT * self._step)
            there = copied * _at(effective[-1], motion) + (1 - copied) * own
            effective.append(np.minimum(own, there))
        return effective

    def _mean_gain(self, effective: Sequence[Blocks], step: float) -> float:
        """The mean of what all pictures but the first have of the finer steps."""
        gains = [(1.0, float(one.mean())) for one in effective[1:]]
        for sample in self._samples:
            before, last = (_copied(motion.costs, step) for motion in (sample.before, sample.last))
            before = np.maximum(before, last**sample.steps)
            gain = before * _at(effective[sample.gap], sample.before)
            if sample.after is not None:
                after = _copied(sample.after.costs, step)
                other = after * _at(effective[sample.gap + 1], sample.after)
                gain = np.where(before >= after, gain, other)
            gains.append((sample.weight, float(gain.mean())))
        weight = sum(weight for weight, _ in gains)
        return sum(weight * gain for weight, gain in gains) / weight if weight else 0.0


def _sample_numbers(numbers: Sequence[int], count: int) -> Iterator[tuple[int, tuple[int, float]]]:
    """The numbers of samples, and for each the gap it lies in and its weight.

    Args:
        numbers: of what is coded ahead; the pictures after them are the last gap.
        count: of all pictures.
    """
    for gap, (before, after) in enumerate(itertools.pairwise([*numbers, count])):
        between = after - before - 1
        count = min(_SAMPLES, between)
        for index in range(count):
            place = (2 * index + 1) * between // (2 * count)
            yield before + 1 + place, (gap, between / count)


def _spread(numbers: Sequence[int], count: int) -> set[int]:
    """So many of the numbers, from the first to the last."""
    last = len(numbers) - 1
    return {numbers[last * one // max(count - 1, 1)] for one in range(count)} if numbers else set()


def _macroblocks(picture: codec.Raster) -> tuple[int, int]:
    return (picture.height + 15) // 16, (picture.width + 15) // 16


def _share(costs: NDArray[np.uint16], intra: NDArray[np.uint16], step: float | Blocks) -> Blocks:
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
