"""A survey of a whole source: where scenes begin, and how far its pictures can be predicted.

The plan step sees every picture once. Sketches (`codec.Sketch`) say how well a picture is predicted
from others; only sums of whole numbers are kept, so every machine plans the same.
"""

from __future__ import annotations

from statistics import median

import numpy as np
from numpy.typing import NDArray

import codec

_QUARTER_FROM_PX = 150_000
"""Pictures of more pixels are halved twice for their sketches."""

_MOST_OF_ALONE = 0.7
"""A scene begins with a picture that costs at least this share of its cost alone."""

_SPIKE = 2.5
"""A scene begins with a picture that costs so many times what its neighbours cost."""

_NEIGHBOURS = 3
"""Pictures on either side that a picture is compared with."""

_NOISE = 24
"""What a block must cost beyond its neighbours, so that noise in flat pictures is no cut."""

_PREDICTED = 0.5
"""A picture that costs less than this share of its cost alone is well predicted."""

SHORTEST_SCENE = 6
"""Frames; shorter scenes get no batch of their own."""

_GRID = 12
"""Every so many frames, distant pictures are compared."""

_NEAR, _MIDDLE, _FAR = _DISTANCES = (6, 12, 24)
"""Frames between the pictures that are compared; a chunk has one of these lengths."""

_LEAST_PAIRS = 2
"""Distant pairs that a batch must have; else its chunks have the usual length."""

_STILL = 0.02
"""If the far cost exceeds the middle one by less than this share, long chunks lose nothing."""

_RESTLESS = 0.65
"""If the middle cost is more than this share of the cost alone, anchors have to be near."""

_USUAL = _MIDDLE


class Survey:
    """What the pictures of a source are to each other.

    Costs are sums over all blocks of a sketch.

    Attributes:
        count: how many pictures it has seen.
    """

    def __init__(self) -> None:
        self.count = 0
        self._blocks = 1
        self._alone: list[int] = []
        # From the picture before, and from the one before that; None where not needed.
        self._last: list[int] = []
        self._before_last: list[int | None] = []
        # By number: costs from `_DISTANCES` before, as far as there are such pictures.
        self._distant: dict[int, dict[int, int]] = {}
        self._sketches: dict[int, codec.Sketch] = {}

    def add(self, raster: codec.Raster) -> None:
        """Look at the next picture; all must have one size."""
        number = self.count
        sketch = _sketch(raster)
        self._blocks = sketch.rows * sketch.columns
        self._alone.append(_sum(sketch.intra_costs()))
        self._last.append(self._cost(sketch, number - 1))
        # Only the picture after one that may begin a scene is needed.
        asked = number >= 2 and self._is_new(number - 1)
        self._before_last.append(self._cost(sketch, number - 2) if asked else None)
        if number % _GRID == 0:
            self._distant[number] = {
                distance: self._cost(sketch, number - distance)
                for distance in _DISTANCES
                if distance <= number
            }
        self._sketches[number] = sketch
        self._forget()
        self.count += 1

    def cuts(self) -> list[int]:
        """Numbers of the frames that begin a new scene; the first frame is not one of them."""
        spikes = [number for number in range(1, self.count) if self._is_spike(number)]
        odd = {number for number in spikes if number + 1 < self.count and self._is_odd(number)}
        found = [one for one in spikes if one not in odd and one - 1 not in odd]
        ends = [*found[1:], self.count]
        return [
            first
            for first, end in zip(found, ends, strict=False)
            if first >= SHORTEST_SCENE and end - first >= SHORTEST_SCENE
        ]

    def chunk_frames(self, first: int, end: int) -> int:
        """The best length of the chunks of a batch.

        Args:
            first: number of its first frame.
            end: number of the frame after its last.
        """
        start = first + _FAR
        numbers = range(start + -start % _GRID, end, _GRID)
        alone = sum(self._alone[number] for number in numbers)
        if len(numbers) < _LEAST_PAIRS:
            return _USUAL
        costs = (
            sum(self._distant[number][distance] for number in numbers) / max(1, alone)
            for distance in _DISTANCES
        )
        return _chunk_frames(*costs)

    def _cost(self, sketch: codec.Sketch, number: int) -> int:
        """The cost of a picture from the one of that number; 0 if there is none."""
        if number < 0:
            return 0
        return _sum(sketch.motion_from(self._sketches[number]).costs)

    def _forget(self) -> None:
        """Drop the sketches that no later picture is compared with."""
        newest = max(self._sketches)
        for number in list(self._sketches):
            distant = number % _NEAR == 0 and newest - number < _FAR
            if newest - number > 1 and not distant:
                del self._sketches[number]

    def _is_new(self, number: int) -> bool:
        """Whether the picture before says little about a picture."""
        return self._last[number] >= _MOST_OF_ALONE * self._alone[number]

    def _is_spike(self, number: int) -> bool:
        if not self._is_new(number):
            return False
        before = range(max(1, number - _NEIGHBOURS), number)
        after = range(number + 1, min(self.count, number + _NEIGHBOURS + 1))
        beside = [self._last[one] for one in (*before, *after)]
        usual = median(beside) if beside else 0
        return self._last[number] > _SPIKE * usual + _NOISE * self._blocks

    def _is_odd(self, number: int) -> bool:
        """Whether a picture lies between two that belong together, as a flash does."""
        over = self._before_last[number + 1]
        if over is None:
            return False
        predicted = over < _PREDICTED * self._alone[number + 1]
        return predicted and over < _PREDICTED * self._last[number]


def _chunk_frames(near: float, middle: float, far: float) -> int:
    """The length of chunks, from costs at the three distances as shares of the cost alone."""
    if middle > _RESTLESS:
        return _NEAR
    if far - middle < _STILL:
        return _FAR
    return _MIDDLE


def _sketch(raster: codec.Raster) -> codec.Sketch:
    large = raster.width * raster.height > _QUARTER_FROM_PX
    return codec.Sketch(raster, 2 if large else 1)


def _sum(costs: NDArray[np.uint16]) -> int:
    return int(costs.sum(dtype=np.int64))
