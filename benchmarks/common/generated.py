"""Clips of kinds that the media folder lacks, made from its pictures; the same on every run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.clips import Clip
from excamera.media.source.picture import Planes

FRAMES = 97
_CIF = (352, 288)
_WIDE = (640, 360)
_FLOWER, _STREET = "flower_720p.264", "street_1080p.264"
_FOREMAN, _CARPHONE, _BUNNY = "foreman_cif.264", "carphone_pristine.mp4", "bigbuckbunny.mp4"

_LEFT, _TOP = 200, 120
_SCENE_FRAMES = 19
_SECOND_VISIT = 20
_BLACK, _GREY = 16, 128


def _frames(
    media: Path, file: str, count: int = FRAMES, size: tuple[int, int] | None = None
) -> Iterator[Planes]:
    return Clip("", file, count, scale_to_px=size).pictures(media)


def _eight_bits(plane: NDArray[np.floating]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
    return rounded


def _planes(*planes: NDArray[np.floating]) -> Planes:
    y, u, v = map(_eight_bits, planes)
    return y, u, v


def _noisy(planes: Planes, deviation: float, random: np.random.Generator) -> Planes:
    return _planes(*(plane + random.normal(0, deviation, plane.shape) for plane in planes))


def _still_room(media: Path) -> Iterator[Planes]:
    """One picture all the time, with a sensor's noise."""
    random = np.random.default_rng(1)
    (picture,) = _frames(media, _STREET, 1, _WIDE)
    for _ in range(FRAMES):
        yield _noisy(picture, 1.5, random)


def _static_camera(media: Path) -> Iterator[Planes]:
    """A talking head that sways in front of a still and slightly noisy background."""
    random = np.random.default_rng(2)
    (background,) = _frames(media, _FLOWER, 1, _WIDE)
    for number, head in enumerate(_frames(media, _CARPHONE)):
        left = _LEFT + 2 * int(40 * np.sin(number / 15))
        planes = [plane.copy() for plane in background]
        for plane, patch, scale in zip(planes, head, (1, 2, 2), strict=True):
            height, width = patch.shape
            top, beside = _TOP // scale, left // scale
            plane[top : top + height, beside : beside + width] = patch
        yield _noisy((planes[0], planes[1], planes[2]), 1.0, random)


def _cuts(media: Path) -> Iterator[Planes]:
    """A new scene every 19 frames; two of them come again."""
    scenes = [
        list(_frames(media, file, _SECOND_VISIT + _SCENE_FRAMES, _CIF))
        for file in (_FOREMAN, _BUNNY, _FLOWER, _STREET)
    ]
    visits = [(scene, 0) for scene in range(4)] + [(0, _SECOND_VISIT), (1, _SECOND_VISIT)]
    frames = (
        frame for scene, first in visits for frame in scenes[scene][first : first + _SCENE_FRAMES]
    )
    return islice(frames, FRAMES)


def _pan(media: Path) -> Iterator[Planes]:
    """A camera that moves across one large picture, faster sideways than down."""
    random = np.random.default_rng(3)
    (picture,) = _frames(media, _STREET, 1)
    width, height = _WIDE
    for number in range(FRAMES):
        left, top = 2 * int(number * 3.5), 2 * int(60 + number * 0.7)
        window = [
            plane[top // s : (top + height) // s, left // s : (left + width) // s]
            for plane, s in zip(picture, (1, 2, 2), strict=True)
        ]
        yield _noisy((window[0], window[1], window[2]), 0.8, random)


def _screen(media: Path) -> Iterator[Planes]:
    """Text in lines of glyphs: it stands, scrolls, stands, jumps a page; a cursor blinks."""
    random = np.random.default_rng(5)
    glyphs = random.random((60, 7, 5)) > 0.5
    width, height = _WIDE
    page = np.full((2000, width), 245.0)
    for line in range(4, 1980, 11):
        for column in range(random.integers(20, 95)):
            glyph, ink = glyphs[random.integers(60)], random.choice([20, 20, 60, 100])
            if random.random() > 0.15:
                left = 8 + 6 * column
                page[line : line + 7, left : left + 5][glyph] = ink
    page[:, 600:] = 200
    half = (height // 2, width // 2)
    blue, red = np.full(half, 128.0), np.full(half, 128.0)
    red[:, 300:] = 150
    top = 0
    for number in range(FRAMES):
        top += 4 if 20 <= number < 40 else 300 if number == 60 else 0
        shown = page[top : top + height].copy()
        if number // 8 % 2:
            shown[100:108, 200:203] = 0
        yield _planes(shown, blue, red)


def _fade_and_flash(media: Path) -> Iterator[Planes]:
    """A pan that fades in from black, has one bright frame, fades out, and in again."""
    for number, planes in enumerate(_frames(media, _FLOWER, FRAMES, _CIF)):
        light = min(1.0, number / 24, abs(number - 84) / (24 if number < 84 else 13))
        flash = 70 if number == 45 else 0
        luma = _BLACK + (planes[0] - float(_BLACK)) * light + flash
        chroma = [_GREY + (plane - float(_GREY)) * light for plane in planes[1:]]
        yield _planes(luma, *chroma)


GENERATED = (
    Clip("still-room", _STREET, FRAMES, make=_still_room),
    Clip("static-camera", _FLOWER, FRAMES, make=_static_camera),
    Clip("scene-cuts", _FOREMAN, FRAMES, make=_cuts),
    Clip("pan", _STREET, FRAMES, make=_pan),
    Clip("screen-text", _STREET, FRAMES, make=_screen),
    Clip("fade-and-flash", _FLOWER, FRAMES, make=_fade_and_flash),
)
