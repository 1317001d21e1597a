"""Looks at the pictures of a span, with sketches that say how well one is predicted from others.

A sketch is a `codec.Sketch`. What the surveys of all spans say is in `excamera.media.scenes`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import codec
from excamera.job.cut import LEAD_IN
from excamera.job.records import SurveyRecord
from excamera.media.pages import is_known_page
from excamera.media.scenes import DISTANCES, FAR, GRID, NEAR, SPIKE, is_new

_QUARTER_FROM_PX = 150_000
"""Pictures of more pixels are halved twice for their sketches."""


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
        if number < self._first - 2 and number % NEAR:
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
        if before >= max(1, self._first - 1) and is_new(self._last[before], self._alone[before]):
            self._before_last[number] = self._cost(sketch, number - 2)
        if number % GRID == 0 and number >= max(self._first, FAR):
            self._distant[number] = [
                self._cost(sketch, number - distance) for distance in DISTANCES
            ]

    def _is_known(self, number: int, raster: codec.Raster) -> bool:
        """Whether a picture that seems to begin a scene is only another page of the same text."""
        if self._previous is None or not is_new(self._last[number], self._alone[number]):
            return False
        # In a restless film every picture seems new; no scene begins with most of them.
        before = self._last.get(number - 1, 0)
        spike = self._last[number] > SPIKE * before
        return spike and is_known_page(raster, self._previous, self._crf)

    def _cost(self, sketch: codec.Sketch, number: int) -> int:
        """The cost of a picture from the one of that number; 0 if there is none."""
        if number < 0:
            return 0
        return _sum(sketch.motion_from(self._sketches[number]).costs)

    def _forget(self, newest: int) -> None:
        """Drop the sketches that no later picture is compared with."""
        for number in list(self._sketches):
            distant = number % NEAR == 0 and newest - number < FAR
            if newest - number > 1 and not distant:
                del self._sketches[number]


def _sketch(raster: codec.Raster) -> codec.Sketch:
    large = raster.width * raster.height > _QUARTER_FROM_PX
    return codec.Sketch(raster, 2 if large else 1)


def _sum(costs: NDArray[np.uint16]) -> int:
    return int(costs.sum(dtype=np.int64))
