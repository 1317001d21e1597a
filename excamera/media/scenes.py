"""Where scenes begin, and how far pictures can be predicted, by the surveys of all spans.

`Surveyor` looks at the pictures of one span, with sketches (`codec.Sketch`) that say how well a
picture is predicted from others. It keeps only sums of whole numbers, so every machine plans the
same. Each sum is of one picture and of those before it, so it does not depend on where spans begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

import codec
from excamera.job.cut import LEAD_IN
from excamera.job.records import SurveyRecord
from excamera.media.pages import is_known_page

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


class Surveyor:
    """Looks at the pictures of a span, one after another; all must have one size.

    Args:
        crf: quality, for the few pictures that are encoded for a trial.
        first: number of the span's first picture in the source. If it is not 0, up to `LEAD_IN`
            pictures before it come first.
    """

    def __init__(self, crf: int, first: int = 0) -> None:
        self._crf = crf
        self._first = first
        self._number = max(0, first - LEAD_IN)
        self._blocks = 1
        # By number, from the last picture before the span.
        self._alone: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._before_last: dict[int, int] = {}
        self._distant: dict[int, list[int]] = {}
        self._known: list[int] = []
        self._previous: codec.Raster | None = None
        self._sketches: dict[int, codec.Sketch] = {}

    @property
    def count(self) -> int:
        """How many pictures of the span it has seen."""
        return max(0, self._number - self._first)

    def add(self, raster: codec.Raster) -> None:
        """Look at the next picture."""
        number = self._number
        self._number += 1
        if number < self._first - 2 and number % _NEAR:
            return  # no picture of the span is compared with it
        sketch = _sketch(raster)
        self._blocks = sketch.rows * sketch.columns
        if number >= self._first - 1:
            self._compare(number, sketch)
        if number >= self._first and self._is_known(number, raster):
            self._known.append(number)
        self._previous = raster
        self._sketches[number] = sketch
        self._forget(number)

    def record(self) -> SurveyRecord:
        """What it has seen of the span."""
        seen = range(self._first, self._number)
        return SurveyRecord(
            first=self._first,
            blocks=self._blocks,
            alone=[self._alone[number] for number in seen],
            last=[self._last[number] for number in seen],
            before_last=[[number, cost] for number, cost in self._before_last.items()],
            distant=[[number, *costs] for number, costs in self._distant.items()],
            known=self._known,
        )

    def _compare(self, number: int, sketch: codec.Sketch) -> None:
        self._alone[number] = _sum(sketch.intra_costs())
        self._last[number] = self._cost(sketch, number - 1)
        # Only the picture after one that may begin a scene is needed.
        before = number - 1
        if before >= max(1, self._first - 1) and _is_new(self._last[before], self._alone[before]):
            self._before_last[number] = self._cost(sketch, number - 2)
        if number % _GRID == 0 and number >= max(self._first, _FAR):
            self._distant[number] = [
                self._cost(sketch, number - distance) for distance in _DISTANCES
            ]

    def _is_known(self, number: int, raster: codec.Raster) -> bool:
        """Whether a picture that seems to begin a scene is only another page of the same text."""
        if self._previous is None or not _is_new(self._last[number], self._alone[number]):
            return False
        # In a restless film every picture seems new; no scene begins with most of them.
        before = self._last.get(number - 1, 0)
        spike = self._last[number] > _SPIKE * before
        return spike and is_known_page(raster, self._previous, self._crf)

    def _cost(self, sketch: codec.Sketch, number: int) -> int:
        """The cost of a picture from the one of that number; 0 if there is none."""
        if number < 0:
            return 0
        return _sum(sketch.motion_from(self._sketches[number]).costs)

    def _forget(self, newest: int) -> None:
        """Drop the sketches that no later picture is compared with."""
        for number in list(self._sketches):
            distant = number % _NEAR == 0 and newest - number < _FAR
            if newest - number > 1 and not distant:
                del self._sketches[number]


class Survey:
    """What the pictures of a source are to each other.

    Costs are sums over all blocks of a sketch.

    Args:
        spans: the surveys of all its spans, in order.

    Attributes:
        count: how many pictures they have seen.
    """

    def __init__(self, spans: Sequence[SurveyRecord]) -> None:
        self._blocks = max((span.blocks for span in spans), default=1)
        self._alone = [cost for span in spans for cost in span.alone]
        self._last = [cost for span in spans for cost in span.last]
        self._before_last = {number: cost for span in spans for number, cost in span.before_last}
        # By number: costs from `_DISTANCES` before.
        self._distant = {number: costs for span in spans for number, *costs in span.distant}
        self._known = {number for span in spans for number in span.known}
        self.count = len(self._alone)

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
        costs = zip(*(self._distant[number] for number in numbers), strict=True)
        return _chunk_frames(*(sum(column) / max(1, alone) for column in costs))

    def _is_spike(self, number: int) -> bool:
        if number in self._known or not _is_new(self._last[number], self._alone[number]):
            return False
        before = range(max(1, number - _NEIGHBOURS), number)
        after = range(number + 1, min(self.count, number + _NEIGHBOURS + 1))
        beside = [self._last[one] for one in (*before, *after)]
        usual = median(beside) if beside else 0
        return self._last[number] > _SPIKE * usual + _NOISE * self._blocks

    def _is_odd(self, number: int) -> bool:
        """Whether a picture lies between two that belong together, as a flash does."""
        over = self._before_last[number + 1]
        predicted = over < _PREDICTED * self._alone[number + 1]
        return predicted and over < _PREDICTED * self._last[number]


def _is_new(last: int, alone: int) -> bool:
    """Whether the picture before says little about a picture with these costs."""
    return last >= _MOST_OF_ALONE * alone


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
