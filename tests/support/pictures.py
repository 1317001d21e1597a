"""Generated moving pictures: the same arguments always give the same pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codec import Raster

Plane = NDArray[np.uint8]


def _texture(height: int, width: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Returns detail at several scales, values around 0."""
    rows, columns = np.mgrid[0:height, 0:width]
    texture = np.zeros((height, width))
    for wavelength_px in (7, 19, 43, 97):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        along = rows * np.sin(angle) + columns * np.cos(angle)
        texture += np.sin(2 * np.pi * along / wavelength_px + phase)
    return texture * 22


def moving_pictures(
    width: int, height: int, count: int, *, seed: int = 0, noise: float = 0.0
) -> list[Raster]:
    """Returns a textured background that pans, a block that crosses it, and noise.

    Args:
        width: In pixels.
        height: In pixels.
        count: How many frames.
        seed: Chooses textures, directions and noise.
        noise: Standard deviation of the noise, in grey levels.
    """
    random = np.random.default_rng(seed)
    margin = 4 * count + 8
    background = _texture(height + 2 * margin, width + 2 * margin, random)
    block = _texture(max(height // 3, 1), max(width // 3, 1), random)
    pan = random.uniform(-3, 3, 2)
    pictures = []
    for index in range(count):
        top, left = (int(margin + step * index) for step in pan)
        luma = 120 + background[top : top + height, left : left + width]
        block_top = (height // 4 + 2 * index) % (height - block.shape[0] + 1)
        block_left = (width // 5 + 5 * index) % (width - block.shape[1] + 1)
        luma[block_top : block_top + block.shape[0], block_left : block_left + block.shape[1]] = (
            140 + block
        )
        if noise:
            luma = luma + random.normal(0, noise, luma.shape)
        y = np.clip(luma, 0, 255).astype(np.uint8)
        u = np.clip(255 - y[::2, ::2] * 0.6, 0, 255).astype(np.uint8)
        v = np.clip(60 + y[::2, ::2] * 0.4, 0, 255).astype(np.uint8)
        pictures.append(Raster.from_planes(y, u, v))
    return pictures


def psnr(reference: Raster, distorted: Raster) -> float:
    """Returns the luma PSNR in dB (100 where the planes are equal)."""
    difference = reference.planes()[0].astype(np.float64) - distorted.planes()[0]
    error = float(np.mean(difference**2))
    return 10 * np.log10(255**2 / error) if error else 100.0
