"""Zones: parts of a film that get another quality than the rest."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from excamera.errors import OptionError
from excamera.job import forms

ZONES_FORM = "such as 0-0:45=+10,1:10:00-end=30: from and to a time of the source, and a crf"

_TO_END = "end"
_ZONE = re.compile(
    r"(?P<begin>[^-=]+)-(?P<end>[^-=]+)=\s*(?P<sign>[+-]?)(?P<crf>\d{1,2})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the source with a quality of its own.

    Attributes:
        text: as the user wrote it.
        begin: its first instant in the source, in seconds.
        end: the instant after its last; None for the end of the film.
        crf: its quality, or what is added to that of the film.
        is_change: whether it is added.
    """

    text: str
    begin: Fraction
    end: Fraction | None
    crf: int
    is_change: bool

    def share_of(self, begin_s: Fraction, length_s: float) -> float:
        """Which share of a part of the source it is.

        Args:
            begin_s: where the part begins, in seconds.
            length_s: how long it is.
        """
        first = max(float(self.begin - begin_s), 0.0)
        last = length_s if self.end is None else min(float(self.end - begin_s), length_s)
        return max(0.0, last - first) / length_s if length_s > 0 else 0.0

    def change(self, crf: float) -> float:
        """What is added to the film's `crf`."""
        return self.crf if self.is_change else self.crf - crf


@dataclass(frozen=True, slots=True)
class ZonedFrames:
    """The frames of the result that a zone has.

    Attributes:
        first: number of the first.
        end: number of the one behind the last.
        change: what is added to the film's `crf`.
    """

    first: int
    end: int
    change: float


def parse_zones(text: str) -> tuple[Zone, ...]:
    """The zones that a user wrote, in order of time; none in an empty text.

    Raises:
        OptionError: they are none, or two of them overlap.
    """
    if not text.strip():
        return ()
    zones = sorted(map(_parse_zone, text.split(",")), key=lambda one: one.begin)
    for before, after in pairwise(zones):
        if before.end is None or before.end > after.begin:
            raise OptionError(f"zones: {before.text} and {after.text} overlap")
    return tuple(zones)


def _parse_zone(text: str) -> Zone:
    text = text.strip()
    found = _ZONE.fullmatch(text)
    if found is None:
        raise OptionError(f"zones must be {ZONES_FORM}, not {text!r}")
    begin = forms.parse_time("zones", found["begin"])
    last = found["end"].strip()
    end = None if last == _TO_END else forms.parse_time("zones", last)
    if end is not None and end <= begin:
        raise OptionError(f"zones: {text} ends before it begins")
    sign = found["sign"]
    crf = int(f"{sign}{found['crf']}")
    return Zone(text, begin, end, crf, is_change=bool(sign))


def zoned_frames(
    zones: Sequence[Zone], times: Sequence[Fraction], length: Fraction, crf: float
) -> tuple[ZonedFrames, ...]:
    """The frames of each zone that has any.

    Args:
        zones: in order.
        times: of the result's frames in the source, in seconds.
        length: of the whole source, in seconds.
        crf: of the film.

    Raises:
        OptionError: a zone begins after the source has ended.
    """
    late = [zone.text for zone in zones if zone.begin >= length]
    if late:
        raise OptionError(
            f"zones: {late[0]} begins after the source has ended: it is {float(length):.3f} s long"
        )
    found = []
    for zone in zones:
        first = bisect.bisect_left(times, zone.begin)
        end = len(times) if zone.end is None else bisect.bisect_left(times, zone.end)
        if first < end:
            found.append(ZonedFrames(first, end, zone.change(crf)))
    return tuple(found)
