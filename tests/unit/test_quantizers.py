"""From steps that macroblocks should have to a frame's quantizers."""

from __future__ import annotations

import numpy as np
import pytest

import codec
from excamera.media.quantizers import nearest_qi, quantizer

STEP = 40.0


def test_one_quantizer_if_macroblocks_want_nearly_the_same() -> None:
    """If this fails, a map of segments is paid for without a gain."""
    found = quantizer(np.linspace(-0.5, -0.45, 99).reshape(9, 11), STEP)
    assert (found.y_ac_qi, found.segments) == (nearest_qi(STEP * 2**-0.475), None)


def test_macroblocks_get_the_step_of_those_like_them() -> None:
    """If this fails, what others copy is coded as coarsely as the rest."""
    wanted = np.repeat([0.0, -0.6, -1.2, -1.9], [400, 200, 200, 120])
    octaves = wanted + np.random.default_rng(3).normal(0, 0.05, wanted.shape)
    found = quantizer(octaves.reshape(23, 40), STEP)
    assert found.segments is not None
    # Most macroblocks have the frame's own.
    assert found.y_ac_qi == nearest_qi(STEP)
    assert found.segments.map is not None
    deltas = np.array(found.segments.quantizer_deltas)[found.segments.map.ravel()]
    steps = np.array(codec.quantizer_steps())[found.y_ac_qi + deltas]
    assert np.abs(np.log2(steps / STEP) - wanted).max() < 0.12


@pytest.mark.parametrize("kinds", range(1, 5))
def test_a_few_kinds_of_macroblocks_are_told_apart(kinds: int) -> None:
    """If this fails, two kinds that differ much share a segment, or one of them has two."""
    octaves = np.linspace(-2.0, 0.0, kinds)[np.random.default_rng(4).integers(0, kinds, (9, 11))]
    found = quantizer(octaves, STEP)
    if kinds == 1:
        assert found.segments is None
        return
    assert found.segments is not None
    assert found.segments.map is not None
    quantizers = found.y_ac_qi + np.array(found.segments.quantizer_deltas)[found.segments.map]
    assert np.array_equal(quantizers, np.vectorize(nearest_qi)(STEP * 2**octaves))
