"""The rate difference, on which every compression figure in docs/ rests."""

import math

import numpy as np
import pytest

from benchmarks.quality.bjontegaard import _integral, rate_difference

CURVE = [(100, 30.0), (180, 33.1), (350, 36.0), (720, 38.6), (1500, 40.9)]


def test_curve_against_itself_is_zero():
    """A comparison of equal encoders would report a difference."""
    assert rate_difference(CURVE, CURVE) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("factor", [0.63, 1.25, 2.0])
def test_constant_factor_of_rate_is_found_exactly(factor):
    """The percentage would not be a percentage of rate."""
    scaled = [(rate * factor, quality) for rate, quality in CURVE]
    assert rate_difference(CURVE, scaled) == pytest.approx(factor - 1)


def test_swapping_the_curves_inverts_the_ratio():
    """The direction of a comparison would be ambiguous."""
    other = [(130, 31.0), (260, 34.5), (700, 39.0), (1300, 40.5)]
    forward, backward = rate_difference(CURVE, other), rate_difference(other, CURVE)
    assert (1 + forward) * (1 + backward) == pytest.approx(1)


def test_straight_lines_have_the_difference_worked_out_by_hand():
    """The interpolation or its integral would be wrong.

    log rate = quality, against log rate = quality + 0.1 * (quality - 1) on [1, 3]:
    the mean difference is 0.1.
    """
    reference = [(math.exp(q), q) for q in (0.0, 1.0, 3.0)]
    tested = [(math.exp(q + 0.1 * (q - 1)), q) for q in (1.0, 2.0, 3.0)]
    assert rate_difference(reference, tested) == pytest.approx(math.expm1(0.1))


def test_order_of_points_does_not_matter():
    """A curve measured from coarse to fine would give another figure."""
    other = [(rate * 1.1, quality) for rate, quality in CURVE]
    assert rate_difference(CURVE[::-1], other) == pytest.approx(0.1)


def test_interpolation_does_not_overshoot_a_knee():
    """An unlimited cubic would swing below the points next to a sharp knee."""
    x = np.array([0.0, 1.0, 2.0, 3.0])
    y = np.array([0.0, 0.0, 0.0, 10.0])
    assert _integral(x, y, 0.0, 2.0) == pytest.approx(0)
    assert 0 < _integral(x, y, 2.0, 3.0) < 5.0


def test_integral_of_a_line_over_part_of_its_range():
    """Limits inside a segment would be mishandled."""
    x = np.array([0.0, 1.0, 4.0])
    assert _integral(x, 2 * x, 0.5, 3.0) == pytest.approx(3.0**2 - 0.5**2)


@pytest.mark.parametrize(
    ("reference", "tested"),
    [
        (CURVE, CURVE[:1]),
        (CURVE, [(100, 50.0), (200, 51.0)]),
        (CURVE, [(100, 33.0), (200, 32.0)]),
    ],
    ids=["one point", "no common quality", "quality falls with rate"],
)
def test_curves_that_cannot_be_compared_are_refused(reference, tested):
    """A meaningless number would enter a table instead."""
    with pytest.raises(ValueError, match=r"curve|quality"):
        rate_difference(reference, tested)
