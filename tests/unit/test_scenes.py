"""Where scenes begin, and how far apart anchors may be, by the pictures of a source."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

import codec
from excamera.media.scenes import Survey

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


def flash(seed: int, count: int, at: int) -> list[Luma]:
    """A pan with one white picture."""
    found = pan(seed, count)
    found[at] = found[at] * 0.1 + 210
    return found


def survey(pictures: Iterable[Luma]) -> Survey:
    """A survey of these pictures."""
    made = Survey()
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    for picture in pictures:
        luma = np.clip(np.rint(picture), 16, 235).astype(np.uint8)
        made.add(codec.Raster.from_planes(np.ascontiguousarray(luma), grey, grey))
    return made


@pytest.mark.parametrize(
    "pictures",
    [
        still(1, 30),
        still(2, 30, noise=6.0),
        pan(3, 40),
        pan(4, 30, step=7),
        zoom(5, 40),
        fade(6, 24),
        flash(8, 30, 13),
        flash(8, 30, 29),
        flash(8, 30, 1),
        [np.full((HEIGHT, WIDTH), 16.0 + number % 2) for number in range(20)],
    ],
    ids=["still", "noise", "pan", "fast pan", "zoom", "fades", "flash", "flash at the end",
         "flash at the start", "black"],
)  # fmt: skip
def test_one_scene_has_no_cuts(pictures: list[Luma]) -> None:
    """If this fails, key frames are spent where nothing begins."""
    assert survey(pictures).cuts() == []


@pytest.mark.parametrize("lengths", [[7] * 6, [17, 23, 11], [6, 6], [40, 9, 31]], ids=str)
@pytest.mark.parametrize("kind", [still, pan, zoom])
def test_every_cut_is_found(lengths: list[int], kind: type) -> None:
    """If this fails, a chunk has to code a new scene from pictures of another."""
    pictures = [one for seed, length in enumerate(lengths) for one in kind(seed, length)]
    assert survey(pictures).cuts() == [int(end) for end in np.cumsum(lengths)[:-1]]


def test_scenes_too_short_for_a_batch_are_passed_over() -> None:
    """If this fails, a strobe costs a key frame for each picture."""
    strobe = [one for seed in range(30) for one in still(seed, 2)]
    assert survey([*pan(50, 20), *strobe, *pan(51, 20)]).cuts() == [80]
    assert survey(strobe).cuts() == []
    # The longer neighbour begins a batch; the few pictures before it are added to the other.
    assert survey([*pan(1, 20), *pan(2, 4), *pan(3, 20)]).cuts() == [24]
    assert survey([*pan(1, 3), *pan(2, 20), *pan(3, 20), *pan(4, 2)]).cuts() == [23]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_clips_of_a_few_frames(count: int) -> None:
    """If this fails, very short films cannot be planned."""
    few = survey(one for seed in range(count) for one in still(seed, 1))
    assert (few.count, few.cuts()) == (count, [])
    assert few.chunk_frames(0, count) == 12


def test_chunks_are_long_where_pictures_stay_alike() -> None:
    """If this fails, N does not follow the pictures."""
    assert survey(still(1, 96, noise=2.0)).chunk_frames(0, 96) == 24
    restless = [one for seed in range(32) for one in still(seed, 3)]
    calm = survey([*restless, *still(40, 96)])
    assert calm.chunk_frames(96, 192) == 24
    assert survey(zoom(2, 96)).chunk_frames(0, 96) in (6, 12)
    # Too short to know.
    assert calm.chunk_frames(180, 192) == 12
