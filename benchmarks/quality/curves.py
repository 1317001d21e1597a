"""Curves of bytes against quality, by encoder, and how they compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.quality import peers
from benchmarks.quality.bjontegaard import Curve, rate_difference

SSIM, PSNR = "ssim_y_db", "psnr_y_db"

Points = Sequence[Mapping[str, Any]]
Curves = Mapping[str, Points]


def curve(points: Points, quality: str) -> Curve:
    """Returns the (bytes, quality) of points that grow in both.

    An encoder at its limit may need more bytes for less quality; nobody would use such a point.
    """
    kept: list[tuple[float, float]] = []
    for size, value in sorted((point["bytes"], point[quality]) for point in points):
        if not kept or (size > kept[-1][0] and value > kept[-1][1]):
            kept.append((size, value))
    return kept


def difference(curves: Curves, tested: str, reference: str, quality: str) -> float:
    """Returns how much more rate one curve needs than another."""
    return rate_difference(curve(curves[reference], quality), curve(curves[tested], quality))


def best_peer(curves: Curves, quality: str) -> str:
    """Returns the vpxenc setting with the fewest bits, by its difference to the first one."""
    return min(peers.PEERS, key=lambda peer: difference(curves, peer, peers.GOOD, quality))
