"""PSNR and SSIM against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from excamera.media.quality import frame_quality, mse, psnr_db, ssim, ssim_db, summarise


def slow_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM from its textbook formula, one window at a time."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for y in range(0, a.shape[0] - 7, 4):
        for x in range(0, a.shape[1] - 7, 4):
            p = a[y : y + 8, x : x + 8].astype(float).ravel()
            q = b[y : y + 8, x : x + 8].astype(float).ravel()
            covariance = np.cov(p, q)
            values.append(
                (2 * p.mean() * q.mean() + c1) * (2 * covariance[0, 1] + c2)
                / ((p.mean() ** 2 + q.mean() ** 2 + c1)
                   * (covariance[0, 0] + covariance[1, 1] + c2))
            )  # fmt: skip
    return float(np.mean(values))


@pytest.mark.parametrize("shape", [(8, 8), (37, 50), (64, 41)])
def test_ssim_is_its_definition(shape: tuple[int, int]) -> None:
    """If this fails, every SSIM in our tables is wrong."""
    random = np.random.default_rng(1)
    a = random.integers(0, 256, shape, np.uint8)
    b = np.clip(a + random.normal(0, 20, shape), 0, 255).astype(np.uint8)
    assert ssim(a, b) == pytest.approx(slow_ssim(a, b), abs=1e-9)


def test_equal_planes_are_perfect_even_when_tiny() -> None:
    """If this fails, the figures of small or lossless videos are nonsense."""
    for shape in ((1, 1), (4, 9), (16, 16)):
        plane = np.full(shape, 77, np.uint8)
        assert ssim(plane, plane) == pytest.approx(1)
        assert mse(plane, plane) == 0
    assert psnr_db(0) == math.inf
    assert ssim_db(1.0) == math.inf


def test_decibels() -> None:
    """If this fails, dB values do not mean what the documentation says."""
    assert psnr_db(255.0**2) == 0
    assert psnr_db(1.0) == pytest.approx(48.1308, abs=1e-4)
    assert ssim_db(0.99) == pytest.approx(20)


def test_overall_weighs_planes_by_their_size() -> None:
    """If this fails, chroma counts too much or too little."""
    black = (np.zeros((16, 16), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))
    off = (black[0] + np.uint8(2), black[1], black[2])
    quality = frame_quality(black, off)
    assert quality.mse == (4, 0, 0)
    assert quality.overall_mse == pytest.approx(4 * 256 / 384)
    assert summarise([quality])["all"].psnr_db == pytest.approx(psnr_db(4 * 256 / 384))
