"""What a batch's quantizers do to its quality, tried on small parts of its pictures.

How much of an anchor's quality the pictures around it inherit depends on noise and on much else
that only an encoder sees. So a few pictures are coded for a trial, twice: as a sequential encode
codes them, and between two pictures that were coded ahead. The quantizer step with which both look
the same is the one to take.

A trial does not code whole pictures. It codes mosaics: tiles from places all over the picture, side
by side. In the pictures it refers to, each tile is taken from where its content was found there.
So a tile sees what it would be predicted from, however far that has moved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

import codec
from codec import EncodeSettings
from excamera.media.losses import Lost
from excamera.media.quality import ssim
from excamera.media.quantizers import Blocks, nearest_qi, quantizer
from excamera.media.source.picture import Plane

Places = list[tuple[int, int]]
"""The left and the upper edge of tiles in a picture, in pixels: even numbers."""

_MACROBLOCK = 16
_TILE = 48
_RIM = 8
"""Pixels at a tile's edges that are coded but not compared: beyond them is another tile."""

_PART = 12
"""A mosaic shows one of so many of the picture's pixels."""

_FEWEST_TILES, _MOST_TILES = 6, 24
"""Of a mosaic. What varies within a picture does not vary more because it has more pixels."""

_ACROSS, _DOWN = 0.7548776662466927, 0.5698402909980532
"""The steps of the two-dimensional sequence whose points are spread most evenly."""

_EFFORT = 0
"""Of the encoder, which at all efforts finds the same difference between the two ways."""

_DB_OF_OCTAVE = 4.0
_LEAST_DB, _MOST_DB = 2.0, 7.0
"""What an octave of the step is worth at first sight, and the limits of what is measured."""

_WIDEST = 0.75
"""How many octaves the second attempt may be from the first."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Parts of a picture that may be tried, and of the one before it.

    Attributes:
        places: where they are.
        own: those of the picture.
        previous: those of the picture before it.
        size: width and height of the whole picture.
    """

    places: Places
    own: codec.Raster
    previous: codec.Raster
    size: tuple[int, int]

    @classmethod
    def of(cls, picture: codec.Raster, previous: codec.Raster, number: int) -> Self:
        """Takes tiles out of a picture.

        Args:
            picture: the picture.
            previous: the one before it.
            number: of the trial; others have tiles at other places.
        """
        size = picture.width, picture.height
        places = _spread(size, number)
        return cls(places, _mosaic(picture, places), _mosaic(previous, places), size)


@dataclass(frozen=True, slots=True)
class Ahead:
    """The parts of a picture that was coded ahead, from which tiles are predicted.

    Attributes:
        mosaic: the parts.
        octaves: of each of their macroblocks, how much finer its step is than the others'.
    """

    mosaic: codec.Raster
    octaves: Blocks

    @classmethod
    def of(cls, tiles: Tiles, motion: codec.Motion, picture: codec.Raster, octaves: Blocks) -> Self:
        """Takes the parts out of the picture.

        Args:
            tiles: what is predicted.
            motion: of the tiles' picture from this one.
            picture: as it is coded.
            octaves: of all its macroblocks.
        """
        places = _moved(tiles, motion, octaves.shape)
        return cls(_mosaic(picture, places), _mosaic_of_macroblocks(octaves, places))


@dataclass(frozen=True, slots=True)
class Trial:
    """A picture between two that are coded ahead, or after the last of them.

    Attributes:
        tiles: its own.
        before: those of the picture coded ahead that is shown before it.
        after: those of the one that is shown after it; None if there is none.
        weight: how many pictures it stands for.
        weight_ahead: how many pictures coded ahead the one after it stands for.
    """

    tiles: Tiles
    before: Ahead
    after: Ahead | None
    weight: float
    weight_ahead: float

    def sequential(self, y_ac_qi: int, threads: int) -> float:
        """What a sequential encode loses of the picture: 1 - SSIM, times the weight."""
        settings = EncodeSettings(effort=_EFFORT)
        # The first inter frames after a key frame differ from it more than from all later ones.
        coded = codec.encode_key_frame(self.before.mosaic, y_ac_qi, settings, threads=threads)
        for picture in (self.tiles.previous, self.tiles.own):
            coded = codec.encode_inter_frame(
                coded.state, picture, y_ac_qi, settings, threads=threads
            )
        return (self.weight + self.weight_ahead) * _loss(self.tiles.own, coded.state.last)

    def anchored(self, step: float, threads: int) -> float:
        """What is lost between two pictures coded ahead, if others have this step."""
        chosen = quantizer(self.before.octaves, step)
        settings = EncodeSettings(segments=chosen.segments, effort=_EFFORT)
        state = codec.encode_key_frame(
            self.before.mosaic, chosen.y_ac_qi, settings, threads=threads
        ).state
        ahead = 0.0
        if self.after is not None:
            chosen = quantizer(self.after.octaves, step)
            settings = EncodeSettings(
                segments=chosen.segments,
                effort=_EFFORT,
                show=False,
                refresh_last=False,
                refresh_altref=True,
            )
            state = codec.encode_inter_frame(
                state, self.after.mosaic, chosen.y_ac_qi, settings, threads=threads
            ).state
            ahead = _loss(self.after.mosaic, state.altref)
        settings = EncodeSettings(effort=_EFFORT)
        state = codec.encode_inter_frame(
            state, self.tiles.own, nearest_qi(step), settings, threads=threads
        ).state
        return self.weight * _loss(self.tiles.own, state.last) + self.weight_ahead * ahead


def try_pictures(trials: Sequence[Trial], y_ac_qi: int, expected: float, threads: int) -> Lost:
    """Find out what is lost of pictures.

    Args:
        trials: the pictures.
        y_ac_qi: of the sequential encode.
        expected: by how many octaves the batch's steps are likely to be coarser.
        threads: how many share the work on a picture; the result is the same for any number.
    """
    step = codec.quantizer_steps()[y_ac_qi]
    sequential = sum(trial.sequential(y_ac_qi, threads) for trial in trials)

    def lost_at(octaves: float) -> float:
        return sum(trial.anchored(step * 2.0**octaves, threads) for trial in trials)

    def result(octaves: float, lost: float, db_of_octave: float) -> Lost:
        return Lost(sequential, lost / 10 ** (db_of_octave * octaves / 10), db_of_octave)

    first = lost_at(expected)
    better = _db(sequential, first)
    change = min(max(better / _DB_OF_OCTAVE, -_WIDEST), _WIDEST)
    octaves = max(expected + change, 0.0)
    change = octaves - expected
    # Steps are whole numbers: over a short distance their rounding hides what an octave is worth.
    if abs(change) * _DB_OF_OCTAVE < 0.2:
        return result(expected, first, _DB_OF_OCTAVE)
    second = lost_at(octaves)
    return result(octaves, second, min(max(_db(second, first) / change, _LEAST_DB), _MOST_DB))


def _db(lost: float, than: float) -> float:
    """How much more one is than the other, in dB; 0 if there is nothing to compare."""
    return 10 * math.log10(lost / than) if lost > 0 and than > 0 else 0.0


def _spread(size: tuple[int, int], number: int) -> Places:
    """Places of a trial's tiles: all over the picture, and between those of other trials."""
    width, height = size
    count = min(max(width * height // (_PART * _TILE * _TILE), _FEWEST_TILES), _MOST_TILES)
    return [
        _within(
            (0.5 + index * _ACROSS) % 1 * (width - _TILE),
            (0.5 + index * _DOWN) % 1 * (height - _TILE),
            size,
        )
        for index in range(number * count, (number + 1) * count)
    ]


def _moved(tiles: Tiles, motion: codec.Motion, shape: tuple[int, ...]) -> Places:
    """Where tiles come from; `shape` is that of all macroblocks."""
    rows, columns = motion.costs.shape
    pixels = _MACROBLOCK if (rows, columns) == shape else 2 * _MACROBLOCK
    # Vectors are in quarter pixels of a sketch, whose blocks have 8 pixels.
    scale = pixels / 32
    places = []
    for x, y in tiles.places:
        row = min((y + _TILE // 2) // pixels, rows - 1)
        column = min((x + _TILE // 2) // pixels, columns - 1)
        down, right = motion.vectors[row, column]
        places.append(_within(x + scale * int(right), y + scale * int(down), tiles.size))
    return places


def _within(x: float, y: float, size: tuple[int, int]) -> tuple[int, int]:
    """The nearest place for a tile."""
    across, down = (
        min(max(2 * round(at / 2), 0), max(side - _TILE, 0) // 2 * 2)
        for at, side in zip((x, y), size, strict=True)
    )
    return across, down


def _mosaic(picture: codec.Raster, places: Places) -> codec.Raster:
    """The tiles of a picture at these places, side by side."""
    luma, *chroma = picture.planes()
    halves = [(x // 2, y // 2) for x, y in places]
    first, second = (_joined(plane, halves, _TILE // 2) for plane in chroma)
    return codec.Raster.from_planes(_joined(luma, places, _TILE), first, second)


def _joined(plane: Plane, places: Places, side: int) -> Plane:
    """Squares of a plane, in as many rows as columns or one less. Beyond an edge it repeats."""
    columns = math.isqrt(len(places) - 1) + 1
    rows = -(-len(places) // columns)
    height, width = plane.shape
    joined = np.empty((rows * side, columns * side), np.uint8)
    for index in range(rows * columns):
        # What is missing in the last row is there twice.
        x, y = places[index % len(places)]
        down = np.minimum(np.arange(y, y + side), height - 1)
        right = np.minimum(np.arange(x, x + side), width - 1)
        top, left = index // columns * side, index % columns * side
        joined[top : top + side, left : left + side] = plane[down[:, None], right]
    return joined


def _mosaic_of_macroblocks(octaves: Blocks, places: Places) -> Blocks:
    """The numbers of the macroblocks at these places, side by side as the tiles are."""
    side = _TILE // _MACROBLOCK
    columns = math.isqrt(len(places) - 1) + 1
    rows = -(-len(places) // columns)
    height, width = octaves.shape
    joined = np.empty((rows * side, columns * side))
    for index in range(rows * columns):
        x, y = ((at + _MACROBLOCK // 2) // _MACROBLOCK for at in places[index % len(places)])
        down = np.minimum(np.arange(y, y + side), height - 1)
        right = np.minimum(np.arange(x, x + side), width - 1)
        top, left = index // columns * side, index % columns * side
        joined[top : top + side, left : left + side] = octaves[down[:, None], right]
    return joined


def _loss(source: codec.Raster, coded: codec.Raster) -> float:
    """1 - SSIM of the luma of two mosaics, without the rims of tiles."""
    return 1 - ssim(_without_rims(source), _without_rims(coded))


def _without_rims(mosaic: codec.Raster) -> Plane:
    luma = mosaic.planes()[0]
    rows, columns = (side // _TILE for side in luma.shape)
    inner = _TILE - 2 * _RIM
    tiles = luma.reshape(rows, _TILE, columns, _TILE)[:, _RIM:-_RIM, :, _RIM:-_RIM]
    return tiles.reshape(rows * inner, columns * inner)
