"""Scenes of a made-up film, and films of such scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from excamera.media.source.picture import Planes, frame_of

Luma = NDArray[np.float64]

WIDTH, HEIGHT = 160, 96


def texture(seed: int, width: int = 2 * WIDTH, height: int = 2 * HEIGHT) -> Luma:
    """A picture with detail of all sizes; other seeds make quite other pictures."""
    random = np.random.default_rng(seed)
    found = np.full((height, width), 120.0)
    for size in (4, 8, 16, 32):
        coarse = random.uniform(-28, 28, (height // size + 2, width // size + 2))
        rows, columns = np.arange(height) / size, np.arange(width) / size
        top, left = rows.astype(int), columns.astype(int)
        down, right = (rows - top)[:, None], (columns - left)[None, :]
        here, beside = coarse[np.ix_(top, left)], coarse[np.ix_(top, left + 1)]
        below, across = coarse[np.ix_(top + 1, left)], coarse[np.ix_(top + 1, left + 1)]
        found += (here * (1 - right) + beside * right) * (1 - down)
        found += (below * (1 - right) + across * right) * down
    return found


def still(seed: int, count: int, noise: float = 0.0) -> list[Luma]:
    """The same picture again and again, with noise."""
    random = np.random.default_rng(seed)
    picture = texture(seed)[:HEIGHT, :WIDTH]
    return [picture + noise * random.standard_normal(picture.shape) for _ in range(count)]


def pan(seed: int, count: int, step: int = 2) -> list[Luma]:
    """A camera that moves to the right."""
    picture = texture(seed, WIDTH + step * count, HEIGHT)
    return [picture[:, step * number :][:, :WIDTH] for number in range(count)]


def zoom(seed: int, count: int) -> list[Luma]:
    """A camera that comes nearer."""
    picture = texture(seed)
    found = []
    for number in range(count):
        scale = 1.9 - 0.9 * number / count
        rows = HEIGHT + (np.arange(HEIGHT) - HEIGHT / 2) * scale
        columns = WIDTH + (np.arange(WIDTH) - WIDTH / 2) * scale
        found.append(picture[np.ix_(rows.astype(int), columns.astype(int))])
    return found


def fade(seed: int, count: int) -> list[Luma]:
    """One picture turns into another, after some black."""
    before, after = still(seed, 1)[0], still(seed + 1, 1)[0]
    ramp = [number / count for number in range(count)]
    out_of_black = [16 + (before - 16) * one for one in ramp]
    return [*out_of_black, *[before * (1 - one) + after * one for one in ramp]]


def page(number: int) -> Luma:
    """A page of text; all pages have the same letters in other places."""
    letters = np.random.default_rng(99).random((20, 7, 5)) > 0.5
    random = np.random.default_rng(number)
    found = np.full((HEIGHT, WIDTH), 235.0)
    for top in range(2, HEIGHT - 8, 10):
        for left in range(4, WIDTH - 8, 6):
            if random.random() > 0.1:
                found[top : top + 7, left : left + 5][letters[random.integers(20)]] = 30.0
    return found


def pages(numbers: Sequence[int], count: int) -> list[Luma]:
    """Each page of text for so many pictures."""
    return [page(number) for number in numbers for _ in range(count)]


def flash(seed: int, count: int, at: int) -> list[Luma]:
    """A pan with one white picture."""
    found = pan(seed, count)
    found[at] = found[at] * 0.1 + 210
    return found


def planes(picture: Luma) -> Planes:
    """A grey picture as the source of an encoder."""
    luma = np.ascontiguousarray(np.clip(np.rint(picture), 16, 235).astype(np.uint8))
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    return luma, grey, grey


def film(path: Path, pictures: Sequence[Luma], container: str | None = None) -> Path:
    """Writes an H.264 film of 25 frames a second; a raw stream has to be indexed by decoding."""
    with av.open(str(path), "w", format=container) as out:
        video = out.add_stream("libx264", rate=25, options={"crf": "12"})
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, picture in enumerate(pictures):
            frame = frame_of(planes(picture))
            frame.pts = number
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path
