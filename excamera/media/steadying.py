"""Pictures with less noise, from which the frames that are coded ahead are coded.

Noise costs bits, and the pictures that would inherit it have noise of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import codec

_REACH, _REACH_OF_FIRST = 3, 6
"""How many pictures before and after an anchor are averaged with it, and after the key frame."""

_NOISE = 5.0
"""Blocks whose mean difference is as much, in grey levels, are not the same but for noise."""

_NOISE_OF_STEP = 0.25
"""Less is averaged if the quantizer step is small: noise is then to be seen."""


def steadied(
    pictures: Iterable[codec.Raster], numbers: Sequence[int], step: float, threads: int
) -> Iterator[codec.Raster]:
    """The pictures of these numbers, each averaged with what is the same in those around it.

    Args:
        pictures: of the batch, in order; only a few are kept at a time.
        numbers: of those that are coded ahead.
        step: quantizer step of a sequential encode.
        threads: how many share the work on a picture.
    """
    most = min(_NOISE, step * _NOISE_OF_STEP)
    kept: dict[int, codec.Raster] = {}
    waiting = deque(numbers)

    def ready() -> codec.Raster:
        number = waiting.popleft()
        reach = _REACH if number else _REACH_OF_FIRST
        around = [kept[one] for one in sorted(kept) if 0 < abs(one - number) <= reach]
        return codec.steady(kept[number], around, most, threads=threads)

    for number, picture in enumerate(pictures):
        kept[number] = picture
        while waiting and number >= waiting[0] + (_REACH if waiting[0] else _REACH_OF_FIRST):
            yield ready()
        oldest = waiting[0] - _REACH if waiting else number
        for old in [one for one in kept if one < oldest]:
            del kept[old]
    while waiting:
        yield ready()
