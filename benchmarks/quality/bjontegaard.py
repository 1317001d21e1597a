"""Bjontegaard rate difference between two rate-distortion curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Curve = Sequence[tuple[float, float]]
"""Points of (size in any unit of bits, quality in dB), in any order."""


def _slopes(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns PCHIP's slopes at the points: monotone data gives a monotone curve.

    An inner slope is the weighted harmonic mean of the neighbouring secants. At the ends it is a
    one-sided three-point estimate, limited so that it keeps the sign and cannot overshoot (Fritsch
    and Butland 1984, Moler's *Numerical Computing with MATLAB*, chapter 3).
    """
    step = np.diff(x)
    secant = np.diff(y) / step
    if len(x) == 2:
        return np.repeat(secant, 2)
    slopes = np.zeros_like(y)
    for i in range(1, len(x) - 1):
        before, after = secant[i - 1], secant[i]
        if before * after > 0:
            w_before = 2 * step[i] + step[i - 1]
            w_after = step[i] + 2 * step[i - 1]
            slopes[i] = (w_before + w_after) / (w_before / before + w_after / after)

    def at_end(h0: float, h1: float, s0: float, s1: float) -> float:
        slope = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
        if slope * s0 <= 0:
            return 0.0
        if s0 * s1 < 0 and abs(slope) > 3 * abs(s0):
            return 3 * s0
        return slope

    slopes[0] = at_end(step[0], step[1], secant[0], secant[1])
    slopes[-1] = at_end(step[-1], step[-2], secant[-1], secant[-2])
    return slopes


def _integral(x: NDArray[np.float64], y: NDArray[np.float64], low: float, high: float) -> float:
    """Integrates the piecewise cubic through the points, exactly, from low to high."""
    slopes = _slopes(x, y)
    total = 0.0
    for i in range(len(x) - 1):
        begin, end = max(low, x[i]), min(high, x[i + 1])
        if begin >= end:
            continue
        h = x[i + 1] - x[i]
        secant = (y[i + 1] - y[i]) / h
        c2 = (3 * secant - 2 * slopes[i] - slopes[i + 1]) / h
        c3 = (slopes[i] + slopes[i + 1] - 2 * secant) / h**2
        powers = (y[i], slopes[i], c2, c3)
        for order, factor in enumerate(powers, start=1):
            total += factor * ((end - x[i]) ** order - (begin - x[i]) ** order) / order
    return float(total)


def rate_difference(reference: Curve, tested: Curve) -> float:
    """Returns how much more rate the tested curve needs for equal quality, as a fraction.

    It is the mean distance of the logarithms of rate over the qualities that both curves cover.
    +0.25 means that the tested encoder needs 25% more bits than the reference.

    Args:
        reference: At least two points; quality must grow with rate.
        tested: The same.

    Raises:
        ValueError: Too few points, quality that does not grow with rate, or curves
            with no quality in common.
    """
    curves = []
    for points in (reference, tested):
        ordered = sorted(points)
        if len(ordered) < 2:
            raise ValueError("a curve needs at least two points")
        rate = np.log(np.array([point[0] for point in ordered], np.float64))
        quality = np.array([point[1] for point in ordered], np.float64)
        if np.any(np.diff(quality) <= 0) or np.any(np.diff(rate) <= 0):
            raise ValueError("quality must grow with rate along a curve")
        curves.append((quality, rate))
    low = max(float(quality[0]) for quality, _ in curves)
    high = min(float(quality[-1]) for quality, _ in curves)
    if low >= high:
        raise ValueError("the curves have no quality in common")
    ours, theirs = (_integral(quality, rate, low, high) for quality, rate in reversed(curves))
    return float(np.expm1((ours - theirs) / (high - low)))


def shared_quality(reference: Curve, tested: Curve) -> tuple[float, float]:
    """Returns the range of quality that both curves cover, over which they are compared."""
    lows, highs = zip(
        *((min(q for _, q in curve), max(q for _, q in curve)) for curve in (reference, tested)),
        strict=True,
    )
    return max(lows), min(highs)
