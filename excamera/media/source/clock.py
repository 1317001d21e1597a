"""One clock for picture and sound, where the clock of a source starts again or jumps.

Recordings are cut, joined and repaired: their clocks start again at 0, or go on an hour later.
Picture and sound then jump at about the same place in the file, by the same time. Both get the same
correction, so they stay together; the picture goes on without a gap.
"""

from __future__ import annotations

import bisect
import itertools
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

GAP_S = 5
"""A longer time that neither picture nor sound fills is a jump of the clock, not a pause."""

_BACK_S = 0.5
"""A clock that goes back by more has started again; packets may be a little out of order."""

_SAME_S = 3.0
"""Jumps of picture and sound that differ by less are one jump of their common clock."""

_REORDERED = 32
"""Packets are shown at most so many others later than they are decoded."""

_PRECISION = 1_000_000
"""Corrections are whole parts of a second, of which it has so many."""


class Ticks:
    """What the packets of a stream say of the time; each list has an item for each of them.

    Attributes:
        place: of the packet among those of all streams, in the file's order.
        number: of the packet among those of its stream, also those without a time.
        time: when it is decoded, in seconds.
        shown: when it is shown or heard, in seconds.
        duration: in seconds, 0 if unknown.
    """

    def __init__(self) -> None:
        self.place = array("q")
        self.number = array("q")
        self.time = array("d")
        self.shown = array("d")
        self.duration = array("d")

    def add(self, place: int, number: int, time: float, shown: float, duration: float) -> None:
        """Add a packet."""
        self.place.append(place)
        self.number.append(number)
        self.time.append(time)
        self.shown.append(shown)
        self.duration.append(duration)

    @property
    def end(self) -> float:
        """When the last packet ends, in seconds; 0 if there is none."""
        return self.shown[-1] + self.duration[-1] if self.shown else 0.0


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


def common_clock(
    video: Ticks, sounds: Sequence[Ticks], *, steady: bool = True
) -> tuple[Clock, list[Clock]]:
    """The corrections of the picture and of each sound track.

    Args:
        video: of the picture.
        sounds: of each sound track.
        steady: whether pictures without sound follow each other steadily, as in a broadcast;
            elsewhere a long time without either may be a picture that stays.
    """
    pauses = not steady and not any(sound.time for sound in sounds)
    of_video = [jump for jump in _jumps(video, sounds) if jump.by < 0 or not pauses]
    clock = _clock(of_video, [jump.by for jump in of_video])
    return clock, [_clock_of_sound(sound, video, of_video) for sound in sounds]


def _clock_of_sound(sound: Ticks, video: Ticks, of_video: Sequence[Jump]) -> Clock:
    of_sound = list(_jumps(sound, [video]))
    paired = dict(_pairs(of_video, of_sound))
    # The picture goes on without a gap; the sound is moved as far as the picture is.
    by = [
        of_video[paired[number]].by if number in paired else jump.by
        for number, jump in enumerate(of_sound)
    ]
    return _clock(of_sound, by)


def _clock(jumps: Sequence[Jump], by: Sequence[Fraction]) -> Clock:
    totals = itertools.accumulate(by)
    return Clock(tuple((jump.number, -total) for jump, total in zip(jumps, totals, strict=True)))


def _jumps(ticks: Ticks, others: Sequence[Ticks]) -> Iterator[Jump]:
    """Where a stream's clock jumps, unless one of the others fills the time."""
    times, durations = np.asarray(ticks.time), np.asarray(ticks.duration)
    steps = np.diff(times)
    suspicious = (steps < -_BACK_S) | (steps - durations[:-1] > GAP_S)
    for before in map(int, np.flatnonzero(suspicious)):
        after = before + 1
        if steps[before] > 0 and any(_is_filled(ticks, before, other) for other in others):
            continue
        # What is decoded last before the jump may be shown before others, and so on behind it.
        end = max(
            ticks.shown[at] + ticks.duration[at]
            for at in range(max(0, after - _REORDERED), after)
            if abs(ticks.time[at] - ticks.time[before]) < GAP_S
        )
        start = min(
            ticks.shown[at]
            for at in range(after, min(len(ticks.time), after + _REORDERED))
            if abs(ticks.time[at] - ticks.time[after]) < GAP_S
        )
        by = Fraction(round((start - end) * _PRECISION), _PRECISION)
        yield Jump(ticks.place[after], ticks.number[after], by)


def _is_filled(ticks: Ticks, before: int, others: Ticks) -> bool:
    """Whether the other stream goes on while a stream has no packets."""
    start, end = ticks.time[before], ticks.time[before + 1]
    first = bisect.bisect_left(others.place, ticks.place[before])
    last = bisect.bisect_right(others.place, ticks.place[before + 1])
    # Near the ends, it may only be ahead or behind.
    middle, near = (start + end) / 2, (end - start) / 4
    return any(abs(time - middle) < near for time in others.time[first:last])


def _pairs(video: Sequence[Jump], sound: Sequence[Jump]) -> Iterator[tuple[int, int]]:
    """Which jump of the sound is which of the picture, by their numbers in the lists."""
    first = 0
    for number, jump in enumerate(sound):
        near = [
            other for other in range(first, len(video)) if abs(video[other].by - jump.by) < _SAME_S
        ]
        if near:
            found = min(near, key=lambda other: abs(video[other].place - jump.place))
            first = found + 1
            yield number, found
