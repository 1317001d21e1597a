"""How much two pictures differ: PSNR and SSIM.

SSIM is taken over 8x8 windows that overlap by 4 in both directions (every window whose
corner lies on a multiple of 4 and that fits into the plane), with the usual constants
(0.01 * 255)^2 and (0.03 * 255)^2 and the unbiased variance, as x264 and FFmpeg's `ssim`
filter define it; a plane's SSIM is the mean over its windows. In decibels it is
-10 log10(1 - SSIM). Planes less than 8 pixels wide or high are extended by their edge.

Samples of 10 bits count as quarters of those of 8: what is equal in both depths differs by nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from excamera.media.source.picture import Plane, Planes

_WINDOW = 8
_STEP = 4
_COUNT = _WINDOW * _WINDOW
_C1 = (0.01 * 255) ** 2 * _COUNT * _COUNT
_C2 = (0.03 * 255) ** 2 * _COUNT * (_COUNT - 1)


def of_one_depth(a: Plane, b: Plane) -> tuple[Plane, Plane]:
    """Two planes, with 10 bits if one of them has these."""
    return (a, b) if a.dtype == b.dtype else (_deep(a), _deep(b))


def _deep(plane: Plane) -> Plane:
    return plane if plane.dtype == np.uint16 else plane.astype(np.uint16) * np.uint16(4)


def mse(a: Plane, b: Plane) -> float:
    """Mean squared error of two planes of equal shape and depth, in steps of 8 bits."""
    difference = a.astype(np.int32) - b
    # Of 10 bits, the sum over a picture is more than 32 bits hold.
    wide = difference if a.dtype == np.uint8 else difference.astype(np.float64)
    return float(np.vdot(wide, wide)) / difference.size / _steps(a) ** 2


def _steps(plane: Plane) -> int:
    """How many steps of a plane are one of 8 bits."""
    return 1 if plane.dtype == np.uint8 else 4


def psnr_db(mean_squared_error: float) -> float:
    """PSNR for 8 bits in dB; infinite for no error."""
    if mean_squared_error <= 0:
        return math.inf
    return 10 * math.log10(255 * 255 / mean_squared_error)


def ssim_db(ssim: float) -> float:
    """SSIM in decibels; infinite for equal pictures."""
    return math.inf if ssim >= 1 else -10 * math.log10(1 - ssim)


def ssim(a: Plane, b: Plane) -> float:
    """Mean SSIM of two planes of equal shape and depth, at most 1."""
    c1, c2 = (constant * _steps(a) ** 2 for constant in (_C1, _C2))
    a, b = _at_least_a_window(a), _at_least_a_window(b)
    x, y = a.astype(np.int32), b.astype(np.int32)  # sums over 64 squares stay below 2^31
    sum_x, sum_y = _windows(x), _windows(y)
    sum_squares = _windows(x * x + y * y)
    sum_products = _windows(x * y)
    both = sum_x * sum_y
    squares = sum_x * sum_x + sum_y * sum_y
    variance = sum_squares * _COUNT - squares
    covariance = sum_products * _COUNT - both
    value = ((2 * both + c1) * (2 * covariance + c2)) / ((squares + c1) * (variance + c2))
    return float(value.mean())


def _at_least_a_window(plane: Plane) -> Plane:
    down, right = (max(0, _WINDOW - side) for side in plane.shape)
    return np.pad(plane, ((0, down), (0, right)), mode="edge") if down or right else plane


def _windows(values: NDArray[np.int32]) -> NDArray[np.float64]:
    """Sums over all windows, by sums over 4x4 cells."""
    rows, columns = values.shape[0] // _STEP, values.shape[1] // _STEP
    cells = values[: rows * _STEP, : columns * _STEP]
    sums = np.add.reduceat(
        np.add.reduceat(cells, np.arange(0, columns * _STEP, _STEP), axis=1),
        np.arange(0, rows * _STEP, _STEP),
        axis=0,
    )
    windows = sums[:-1, :-1] + sums[1:, :-1] + sums[:-1, 1:] + sums[1:, 1:]
    return windows.astype(np.float64)


@dataclass(frozen=True, slots=True)
class FrameQuality:
    """One frame: mean squared error and SSIM of the Y, U and V planes, and their sizes."""

    mse: tuple[float, float, float]
    ssim: tuple[float, float, float]
    pixels: tuple[int, int, int]

    @property
    def overall_mse(self) -> float:
        """Mean squared error over all samples of the three planes."""
        return _weighted(self.mse, self.pixels)

    @property
    def overall_ssim(self) -> float:
        """SSIM of the planes, weighted by their sizes."""
        return _weighted(self.ssim, self.pixels)


def frame_quality(reference: Planes, distorted: Planes) -> FrameQuality:
    """Compare two pictures of equal size."""
    pairs = [of_one_depth(a, b) for a, b in zip(reference, distorted, strict=True)]
    y, u, v = (mse(a, b) for a, b in pairs)
    sy, su, sv = (ssim(a, b) for a, b in pairs)
    py, pu, pv = (a.size for a in reference)
    return FrameQuality((y, u, v), (sy, su, sv), (py, pu, pv))


def _weighted(values: Iterable[float], weights: Iterable[int]) -> float:
    pairs = list(zip(values, weights, strict=True))
    return sum(v * w for v, w in pairs) / sum(w for _, w in pairs)


@dataclass(frozen=True, slots=True)
class Quality:
    """One number pair for a plane or for all: PSNR in dB and SSIM, linear."""

    psnr_db: float
    ssim: float

    def to_json(self) -> dict[str, float | None]:
        """PSNR, SSIM linear and in dB; null if a decibel value is infinite."""
        return {
            "psnr_db": _finite(self.psnr_db),
            "ssim": self.ssim,
            "ssim_db": _finite(ssim_db(self.ssim)),
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def summarise(frames: list[FrameQuality]) -> dict[str, Quality]:
    """PSNR of the mean error and mean SSIM over frames, for "y", "u", "v" and "all"."""
    count = len(frames)
    found = {}
    for number, name in enumerate("yuv"):
        found[name] = Quality(
            psnr_db(sum(frame.mse[number] for frame in frames) / count),
            sum(frame.ssim[number] for frame in frames) / count,
        )
    found["all"] = Quality(
        psnr_db(sum(frame.overall_mse for frame in frames) / count),
        sum(frame.overall_ssim for frame in frames) / count,
    )
    return found
