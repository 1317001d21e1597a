"""A long film of short pieces of the real clips, whose batches differ as those of films do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from benchmarks.common.clips import CLIPS

WIDTH, HEIGHT = 384, 216
RATE = Fraction(24)
_SEED = 7
_LENGTHS = (48, 96, 150, 200)
_NOISE = (0, 0, 0, 3, 6)
"""Steps of the luma by which grain may change a sample."""
_PIECES = 150
"""Frames of each clip that pieces are taken from."""


def montage(path: Path, frames: int, media: Path) -> Path:
    """Make the film, unless it is there.

    Each piece is a part of a clip, forwards and backwards, perhaps at twice its pace, enlarged, or
    with grain.

    Args:
        path: of the film, an MP4 of H.264.
        frames: it has at least so many.
        media: the folder of the clips.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"part-{path.name}")
    names = sorted({clip.file for clip in CLIPS})
    clips = {name: _pictures(media / name) for name in names}
    with av.open(str(partial), "w") as out:
        video = out.add_stream("libx264", rate=RATE, options={"crf": "12", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in _pieces(clips, frames):
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
    return partial.replace(path)


def _pictures(path: Path) -> list[VideoFrame]:
    """The beginning of a clip, twice as wide and high as the film."""
    with av.open(str(path)) as clip:
        some = islice(clip.decode(video=0), _PIECES)
        return [one.reformat(2 * WIDTH, 2 * HEIGHT, "yuv420p") for one in some]


def _pieces(clips: dict[str, list[VideoFrame]], frames: int) -> Iterator[VideoFrame]:
    chance, grains, made = random.Random(_SEED), np.random.default_rng(_SEED), 0
    while made < frames:
        clip = clips[chance.choice(sorted(clips))]
        first = chance.randrange(max(1, len(clip) - 60))
        count, pace, noise = (chance.choice(some) for some in (_LENGTHS, (1, 1, 2), _NOISE))
        corner = chance.randrange(0, WIDTH, 2), chance.randrange(0, HEIGHT, 2)
        is_near = chance.random() < 0.5
        there_and_back = cycle([*clip[first:], *clip[first:][::-1]])
        for picture in islice(there_and_back, 0, count * pace, pace):
            small = _cropped(picture, corner) if is_near else picture
            planes = small.reformat(WIDTH, HEIGHT, "yuv420p").to_ndarray()
            if noise:
                grain = grains.integers(-noise, noise + 1, (HEIGHT, WIDTH))
                planes[:HEIGHT] = np.clip(planes[:HEIGHT].astype(int) + grain, 0, 255)
            yield VideoFrame.from_ndarray(planes, "yuv420p")
        made += count


def _cropped(picture: VideoFrame, corner: tuple[int, int]) -> VideoFrame:
    """A part of a picture with the film's size."""
    left, top = corner
    planes = picture.to_ndarray()
    luma = planes[: 2 * HEIGHT][top : top + HEIGHT, left : left + WIDTH]
    chroma = planes[2 * HEIGHT :].reshape(2, HEIGHT, WIDTH)
    part = chroma[:, top // 2 : (top + HEIGHT) // 2, left // 2 : (left + WIDTH) // 2]
    rows = part.reshape(HEIGHT // 2, WIDTH)
    return VideoFrame.from_ndarray(np.ascontiguousarray(np.vstack([luma, rows])), "yuv420p")
