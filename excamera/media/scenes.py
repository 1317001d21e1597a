"""Where scenes begin, and how far pictures can be predicted, by the surveys of all spans.

A `Surveyor` makes the surveys (`excamera.media.surveyor`). They hold only sums of whole numbers, so
every machine plans the same. Each sum is of one picture and of those before it, so it does not
depend on where spans begin. The step that plans needs neither numpy nor the codec, and begins
faster without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from excamera.job.records import SurveyRecord

_MOST_OF_ALONE = 0.7
"""A scene begins with a picture that costs at least this share of its cost alone."""

SPIKE = 2.5
"""A scene begins with a picture that costs so many times what its neighbours cost."""

_NEIGHBOURS = 3
"""Pictures on either side that a picture is compared with."""

_NOISE = 24
"""What a block must cost beyond its neighbours, so that noise in flat pictures is no cut."""

_PREDICTED = 0.5
"""A picture that costs less than this share of its cost alone is well predicted."""

SHORTEST_SCENE = 6
"""Frames; shorter scenes get no batch of their own."""

GRID = 12
"""Every so many frames, distant pictures are compared."""

NEAR, MIDDLE, FAR = DISTANCES = (6, 12, 24)
"""Frames between the pictures that are compared; a chunk has one of these lengths."""

_LEAST_PAIRS = 2
"""Distant pairs that a batch must have; else its chunks have the usual length."""

_STILL = 0.02
"""If the far cost exceeds the middle one by less than this share, long chunks lose nothing."""

_RESTLESS = 0.65
"""If the middle cost is more than this share of the cost alone, anchors have to be near."""

_USUAL = MIDDLE


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
        # By number: costs from `DISTANCES` before.
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
        start = first + FAR
        numbers = range(start + -start % GRID, end, GRID)
        alone = sum(self._alone[number] for number in numbers)
        if len(numbers) < _LEAST_PAIRS:
            return _USUAL
        costs = zip(*(self._distant[number] for number in numbers), strict=True)
        return _chunk_frames(*(sum(column) / max(1, alone) for column in costs))

    def cost(self, first: int, end: int) -> float:
        """How hard the frames from `first` to before `end` are to encode as one batch."""
        rest = range(first + 1, end)
        predicted = sum(min(self._last[number], self._alone[number]) for number in rest)
        return float(self._alone[first] + predicted + self._blocks * (end - first))

    def _is_spike(self, number: int) -> bool:
        if number in self._known or not is_new(self._last[number], self._alone[number]):
            return False
        before = range(max(1, number - _NEIGHBOURS), number)
        after = range(number + 1, min(self.count, number + _NEIGHBOURS + 1))
        beside = [self._last[one] for one in (*before, *after)]
        usual = median(beside) if beside else 0
        return self._last[number] > SPIKE * usual + _NOISE * self._blocks

    def _is_odd(self, number: int) -> bool:
        """Whether a picture lies between two that belong together, as a flash does."""
        over = self._before_last[number + 1]
        predicted = over < _PREDICTED * self._alone[number + 1]
        return predicted and over < _PREDICTED * self._last[number]


def is_new(last: int, alone: int) -> bool:
    """Whether the picture before says little about a picture with these costs."""
    return last >= _MOST_OF_ALONE * alone


def _chunk_frames(near: float, middle: float, far: float) -> int:
    """The length of chunks, from costs at the three distances as shares of the cost alone."""
    if middle > _RESTLESS:
        return NEAR
    if far - middle < _STILL:
        return FAR
    return MIDDLE
