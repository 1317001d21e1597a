"""One clock for picture and sound, where the clock of a source starts again or jumps.

Recordings are cut, joined and repaired: their clocks start again at 0, or go on an hour later.
Picture and sound then jump at about the same place in the file, by the same time. Both get the same
correction, so they stay together; the picture goes on without a gap.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

GAP_S = Fraction(3)
"""A longer time that neither picture nor sound fills is a jump of the clock, not a pause."""

_BACK_S = Fraction(1, 2)
"""A clock that goes back by more has started again; packets may be a little out of order."""

_SAME_S = Fraction(3)
"""Jumps of picture and sound that differ by less are one jump of their common clock."""


_REORDERED = 32
"""Packets are shown at most so many others later than they are decoded."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What a packet says of the time.

    Attributes:
        place: of the packet among those of all streams, in the file's order.
        number: of the packet among those of its stream.
        time: when it is decoded, in seconds.
        shown: when it is shown or heard, in seconds.
        duration: in seconds, 0 if unknown.
    """

    place: int
    number: int
    time: Fraction
    shown: Fraction
    duration: Fraction


@dataclass(frozen=True, slots=True)
class Jump:
    """A place where a stream's clock jumps.

    Attributes:
        place: of the first packet after it.
        number: of that packet in its stream.
        by: how much later its time is than it would be without, in seconds.
    """

    place: int
    number: int
    by: Fraction


@dataclass(frozen=True, slots=True)
class Clock:
    """What to add to the times of a stream.

    Attributes:
        pieces: number of the first packet of each piece, and seconds to add from there on.
    """

    pieces: tuple[tuple[int, Fraction], ...] = ()

    def correction(self, number: int) -> Fraction:
        """Seconds to add to the times of a packet."""
        found = bisect.bisect_right(self.pieces, number, key=lambda piece: piece[0])
        return self.pieces[found - 1][1] if found else Fraction(0)

    @property
    def jumps(self) -> int:
        """How often the clock jumps."""
        return len(self.pieces)


def common_clock(video: Sequence[Tick], sound: Sequence[Tick]) -> tuple[Clock, Clock]:
    """The corrections of picture and sound.

    Args:
        video: the packets of the picture that have a time.
        sound: those of the sound.
    """
    of_video, of_sound = list(_jumps(video, sound)), list(_jumps(sound, video))
    paired = dict(_pairs(of_video, of_sound))
    # The picture goes on without a gap; the sound is moved as far as the picture is.
    by = [
        of_video[paired[number]].by if number in paired else jump.by
        for number, jump in enumerate(of_sound)
    ]
    return _clock(of_video, [jump.by for jump in of_video]), _clock(of_sound, by)


def _clock(jumps: Sequence[Jump], by: Sequence[Fraction]) -> Clock:
    totals = itertools.accumulate(by)
    return Clock(tuple((jump.number, -total) for jump, total in zip(jumps, totals, strict=True)))


def _jumps(ticks: Sequence[Tick], others: Sequence[Tick]) -> Iterator[Jump]:
    """Where a stream's clock jumps, unless the other stream fills the time."""
    for at, (before, after) in enumerate(pairwise(ticks), 1):
        later = after.time - before.time - before.duration
        back = after.time < before.time - _BACK_S
        if back or (later > GAP_S and not _is_filled(before, after, others)):
            # What is decoded last before the jump may be shown before others, and so on behind it.
            end = max(
                tick.shown + tick.duration
                for tick in ticks[max(0, at - _REORDERED) : at]
                if abs(tick.time - before.time) < GAP_S
            )
            start = min(
                tick.shown
                for tick in ticks[at : at + _REORDERED]
                if abs(tick.time - after.time) < GAP_S
            )
            yield Jump(after.place, after.number, start - end)


def _is_filled(before: Tick, after: Tick, others: Sequence[Tick]) -> bool:
    """Whether the other stream goes on between two packets of a stream."""
    middle = (before.time + after.time) / 2
    first = bisect.bisect_left(others, before.place, key=lambda tick: tick.place)
    last = bisect.bisect_right(others, after.place, key=lambda tick: tick.place)
    # Near its ends it may be ahead or behind.
    return any(
        abs(tick.time - middle) < (after.time - before.time) / 4 for tick in others[first:last]
    )


def _pairs(video: Sequence[Jump], sound: Sequence[Jump]) -> Iterator[tuple[int, int]]:
    """Which jump of the sound is which of the picture, by their places in the lists."""
    first = 0
    for number, jump in enumerate(sound):
        near = [
            other for other in range(first, len(video)) if abs(video[other].by - jump.by) < _SAME_S
        ]
        if near:
            found = min(near, key=lambda other: abs(video[other].place - jump.place))
            first = found + 1
            yield number, found
