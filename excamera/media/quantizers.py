"""From steps that macroblocks should have to a frame's quantizers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import codec

Blocks = NDArray[np.float64]
"""A number for each block of a picture: shape (rows, columns)."""

_SEGMENTS = 4
_LEAST_SPREAD_QI = 6
"""Macroblocks get segments if their quantizers differ by as much as this."""


@dataclass(frozen=True, slots=True)
class Quantizer:
    """How finely a frame is coded.

    Attributes:
        y_ac_qi: of the frame.
        segments: kinds of macroblocks with other quantizers; None if all have the frame's.
    """

    y_ac_qi: int
    segments: codec.Segments | None


def nearest_qi(step: float) -> int:
    """The `y_ac_qi` whose step is nearest."""
    return int(np.abs(np.log2(codec.quantizer_steps()) - math.log2(step)).argmin())


def spread_qis(step: float, count: int) -> list[int]:
    """So many `y_ac_qi` whose steps are next to a step, spread evenly so that their mean is it."""
    levels = np.log2(codec.quantizer_steps())
    level = min(max(math.log2(step), levels[0]), levels[-1])
    low = min(int(np.searchsorted(levels, level, side="right")) - 1, len(levels) - 2)
    share = float((level - levels[low]) / (levels[low + 1] - levels[low]))
    ends = [math.floor(share * number + 0.5) for number in range(count + 1)]
    return [low + after - before for before, after in itertools.pairwise(ends)]


def quantizer(octaves: Blocks, step: float) -> Quantizer:
    """The quantizer of a frame.

    Args:
        octaves: of each macroblock: how far its step should be from `step`, as a logarithm to
            base 2.
        step: a quantizer step.
    """
    levels = np.log2(step) + octaves
    mean = nearest_qi(2.0 ** float(levels.mean()))
    finest, coarsest = (nearest_qi(2.0 ** float(one)) for one in (levels.min(), levels.max()))
    if coarsest - finest < _LEAST_SPREAD_QI:
        return Quantizer(mean, None)
    segments = _grouped(levels)
    qis = [
        nearest_qi(2.0 ** float(levels[segments == one].mean())) if (segments == one).any() else 0
        for one in range(_SEGMENTS)
    ]
    base = qis[int(np.bincount(segments.ravel(), minlength=_SEGMENTS).argmax())]
    first, second, third, fourth = (qi - base for qi in qis)
    deltas = (first, second, third, fourth)
    return Quantizer(base, codec.Segments(segments.astype(np.uint8), deltas))


def _grouped(levels: Blocks) -> NDArray[np.int64]:
    """Four groups of similar values: of all ways the one with the least squared differences."""
    # No finer than quantizers are: at most 128 values, and groups are ranges of these.
    steps = np.log2(codec.quantizer_steps())
    values, places = np.unique(
        np.searchsorted((steps[:-1] + steps[1:]) / 2, levels), return_inverse=True
    )
    places = places.reshape(levels.shape)
    counts, sums, squares = (
        np.concatenate([[0.0], np.cumsum(np.bincount(places.ravel(), weights.ravel()))])
        for weights in (np.ones(levels.shape), levels, levels**2)
    )

    def differences(first: NDArray[np.int64], end: NDArray[np.int64]) -> Blocks:
        """The squared differences from their mean of the values from one to before another."""
        count = np.maximum(counts[end] - counts[first], 1)
        found: Blocks = squares[end] - squares[first] - (sums[end] - sums[first]) ** 2 / count
        return found

    ends = np.arange(len(values) + 1)
    # Of one more group from each value on; none is empty if there are enough values.
    between = np.where(ends[:, None] <= ends, differences(ends[:, None], ends), np.inf)
    least = between[0]
    chosen = []
    for _ in range(_SEGMENTS - 1):
        ways = least[:, None] + between
        chosen.append(ways.argmin(0))
        least = ways.min(0)
    borders = [len(values)]
    for before in reversed(chosen):
        borders.insert(0, int(before[borders[0]]))
    return np.searchsorted(borders[:-1], places, side="right")
