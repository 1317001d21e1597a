"""From steps that macroblocks should have to a frame's quantizers."""

from __future__ import annotations

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

_FIRST_CENTRES = (0.08, 0.35, 0.65, 0.92)
_ROUNDS = 12
"""Of the search for segments."""


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
