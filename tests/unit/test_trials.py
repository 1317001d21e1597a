"""The quality of a batch, tried on parts of its pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import codec
from codec import EncodeSettings, Raster
from excamera.job.cut import USUAL_BATCH
from excamera.job.encoders import QI_OF_CRF
from excamera.job.options import EncodeOptions
from excamera.media.anchors import encode_anchors, encode_between, join_anchored
from excamera.media.lookahead import Lookahead, lost_of
from excamera.media.losses import Lost, even_octaves
from excamera.media.quality import ssim, ssim_db
from excamera.media.trials import Ahead, Tiles, Trial, try_pictures

FRAMES, N = 25, 12


def texture(height: int, width: int) -> np.ndarray:
    """Smooth noise with fine noise on it."""
    random = np.random.default_rng(4)
    coarse = np.kron(random.integers(40, 200, (height // 8 + 2, width // 8 + 2)), np.ones((8, 8)))
    smooth = sum(np.roll(coarse, (y, x), (0, 1)) for y in range(8) for x in range(8)) / 64
    return smooth[:height, :width] + random.normal(0, 6, (height, width))


def picture(luma: np.ndarray) -> Raster:
    """A picture of this luma without colour."""
    height, width = luma.shape
    grey = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Raster.from_planes(np.clip(luma, 0, 255).astype(np.uint8), grey, grey)


def clip(moving: int, noise: float) -> list[Raster]:
    """A texture that moves so many pixels a frame, with noise."""
    big = texture(112, 160 + FRAMES * moving)
    random = np.random.default_rng(5)
    return [
        picture(big[:, k * moving : k * moving + 160] + random.normal(0, noise, (112, 160)))
        for k in range(FRAMES)
    ]


def quality(frames: list[bytes], source: list[Raster]) -> float:
    """Mean luma SSIM in dB."""
    state, found = None, []
    for frame in frames:
        state, shown = codec.decode(state, frame)
        if codec.is_shown(frame):
            found.append(ssim(source[len(found)].planes()[0], shown.planes()[0]))
    assert len(found) == len(source)
    return ssim_db(float(np.mean(found)))


def sequential(source: list[Raster], options: EncodeOptions) -> list[bytes]:
    """One key frame, then inter frames, all with the same quantizer."""
    settings = EncodeSettings(effort=options.anchors.effort)
    qi = QI_OF_CRF[options.crf]
    coded = codec.encode_key_frame(source[0], qi, settings)
    frames = [coded.frame]
    for one in source[1:]:
        coded = codec.encode_inter_frame(coded.state, one, qi, settings)
        frames.append(coded.frame)
    return frames


def anchored(source: list[Raster], options: EncodeOptions) -> list[bytes]:
    """One batch of mode anchors."""
    lengths = [min(N, len(source) - first) for first in range(0, len(source), N)]
    opened = list(encode_anchors(Lookahead(source, lengths, options.crf, 1), lengths, options, 1))
    between, first = [], 0
    for number, length in enumerate(lengths):
        ahead = number < len(lengths) - 1
        shown = source[first + (number == 0) : first + length - ahead]
        between.append(encode_between(opened[number], shown, options))
        first += length
    anchors = [one.anchors for one in opened]
    return [frame for part in join_anchored(anchors, between) for frame in part.frames]


# Without the trials, the first and the last of these are a whole dB and more off.
@pytest.mark.parametrize(
    ("moving", "noise", "crf"), [(0, 4, 16), (0, 0, 40), (3, 3, 16), (3, 0, 40)]
)
def test_crf_means_the_same_as_in_a_sequential_encode(moving: int, noise: float, crf: int) -> None:
    """If this fails, still scenes look better than asked for and others worse."""
    source = clip(moving, noise)
    options = EncodeOptions(crf=crf, mode="anchors")
    found, wanted = (quality(way(source, options), source) for way in (anchored, sequential))
    assert abs(found - wanted) < 0.5


def trial(octaves: float, number: int = 0) -> Trial:
    """A still picture between two anchors that are finer by so many octaves."""
    pictures = clip(0, 0)
    tiles = Tiles.of(pictures[1], pictures[0], number)
    sketch = codec.Sketch(pictures[0])
    parts = [
        Ahead.of(tiles, sketch.motion_from(sketch), pictures[0], np.full((7, 10), octaves))
        for _ in range(2)
    ]
    return Trial(tiles, *parts, 5.5, 0.5)


def test_what_is_inherited_is_given_back() -> None:
    """If this fails, boosts make still scenes better instead of smaller."""
    plain, boosted = (
        even_octaves([try_pictures([trial(-octaves)], 60, 0.5, 1)]) for octaves in (0.0, 1.5)
    )
    assert plain < 0.3
    assert abs(boosted - 1.5) < 0.3


def test_trials_are_the_same_for_any_number_of_threads() -> None:
    """If this fails, a repeated step would find other quantizers."""
    assert len({try_pictures([trial(-1.0)], 60, 0.5, threads) for threads in (1, 3)}) == 1


@pytest.mark.parametrize("value", [0, 128])
def test_pictures_without_anything_in_them_tell_nothing(value: int) -> None:
    """If this fails, a black scene ends the batch with an error."""
    black = [picture(np.full((40, 56), value)) for _ in range(9)]
    found = Lookahead(black, [9], 30, 1).quantizers()
    assert 0 <= found.ordinary <= 127
    assert even_octaves([try_pictures([], 60, 0.25, 1)]) == 0


@pytest.mark.parametrize("size", [(1, 1), (47, 49), (48, 48), (100, 500)])
def test_tiles_lie_within_the_picture(size: tuple[int, int]) -> None:
    """If this fails, small pictures cannot be coded."""
    height, width = size
    one = picture(np.arange(height * width).reshape(size) % 251)
    tiles = Tiles.of(one, one, 3)
    for x, y in tiles.places:
        assert 0 <= x <= max(width - 48, 0)
        assert 0 <= y <= max(height - 48, 0)
        assert x % 2 == y % 2 == 0
    assert tiles.own.width % 48 == tiles.own.height % 48 == 0


def test_tiles_follow_their_content() -> None:
    """If this fails, a pan looks as if nothing could be predicted from anchors."""
    big = texture(200, 400)
    before, now = picture(big[:, 40:360]), picture(big[:, 80:400])
    motion = codec.Sketch(now).motion_from(codec.Sketch(before))
    tiles = Tiles.of(now, now, 0)
    found = Ahead.of(tiles, motion, before, np.zeros((13, 20)))
    difference = tiles.own.planes()[0].astype(int) - found.mosaic.planes()[0]
    assert (difference == 0).mean() > 0.6


def test_a_film_is_even_as_a_whole() -> None:
    """If this fails, one scene decides for all, or films look worse than asked for."""
    still, fast = Lost(2.0, 0.5, 4.0), Lost(1.0, 1.5, 4.0)
    found = even_octaves([still, fast])
    assert still.at(found) + fast.at(found) == pytest.approx(3.0, rel=0.002)
    assert 0 < found < even_octaves([still])
    assert even_octaves([fast]) == 0  # nothing is finer than in a sequential encode
    assert even_octaves([Lost(1.0, 1e-9, 4.0)]) == pytest.approx(3, abs=0.001)


def test_usual_batches_of_a_film_are_tried_as_they_come() -> None:
    """If this fails, a survey keeps all pictures of a film in memory, or leaves some out."""
    source = clip(0, 3)
    seen = []

    def pictures() -> Iterator[Raster]:
        for number, one in enumerate(source):
            seen.append(number)
            yield one

    source += [source[-1]] * (USUAL_BATCH - 5 - len(source)) + source[:8]
    found = list(lost_of(pictures(), len(source), EncodeOptions(crf=40), 1))
    assert seen == list(range(len(source)))
    assert len(found) == 2
    assert all(one.sequential > one.anchored > 0 for one in found)
