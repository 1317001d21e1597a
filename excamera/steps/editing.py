"""What a trim and another rate make of the frames of a source: a list of other frames."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from excamera.errors import NoFrames
from excamera.job import forms
from excamera.job.options import EncodeOptions
from excamera.job.zones import parse_zones, zoned_frames
from excamera.steps.frames import SourceFrames

_HALF = Fraction(1, 2)


def edited(
    frames: SourceFrames, origin: int, options: EncodeOptions
) -> tuple[SourceFrames, Fraction]:
    """The frames of the result, with the times that they have there.

    Args:
        frames: all of the source.
        origin: the time of the source that would be 0 without a trim, in ticks.
        options: `start` and `duration`; `fps`, unless these are numbered pictures; `zones`.

    Returns:
        The frames; and the time of the source that is 0 in the result, in seconds.

    Raises:
        NoFrames: the source ends before `start`.
        OptionError: it ends before a zone begins.
    """
    source_s, length_s = origin * frames.time_base, (frames.end - origin) * frames.time_base
    if options.start or options.duration:
        frames, origin = _trimmed(frames, origin, options)
    origin_s = origin * frames.time_base
    shifted = replace(frames, pts=[pts - origin for pts in frames.pts], end=frames.end - origin)
    if options.fps and frames.source.pictures is None:
        shifted = _at_rate(shifted, forms.parse_rate(options.fps))
    zones = parse_zones(options.zones)
    if zones:
        begin_s = origin_s - source_s
        times = [begin_s + pts * shifted.time_base for pts in shifted.pts]
        zoned = zoned_frames(zones, times, length_s, options.exact_crf)
        shifted = replace(shifted, zones=zoned)
    return shifted, origin_s


def leading(seeks: Sequence[tuple[int, ...]], lead: int) -> list[tuple[int, ...]]:
    """Where decoding can start for each frame if so many frames before it are needed, too."""
    if not lead:
        return list(seeks)
    return [
        min(seeks[max(0, at - lead) : at + 1], key=lambda one: one[0] if one else -(1 << 62))
        for at in range(len(seeks))
    ]


def _trimmed(frames: SourceFrames, origin: int, options: EncodeOptions) -> tuple[SourceFrames, int]:
    """The frames that begin at `start` or later, and before `duration` is over."""
    tick = frames.time_base
    start = _ticks(forms.parse_start(options.start or "0"), tick)
    begin = origin + start if start else frames.pts[0]
    first = bisect.bisect_left(frames.pts, begin)
    if first == len(frames.pts):
        length_s = float((frames.end - origin) * tick)
        raise NoFrames(
            f"{frames.source.name}: has no frames from {options.start} on: it is {length_s:.3f} s "
            "long (choose an earlier --start)"
        )
    if start:
        origin = frames.pts[first]
    last, end = len(frames.pts), frames.end
    if options.duration:
        end = min(end, origin + max(1, _ticks(forms.parse_duration(options.duration), tick)))
        # What begins with a pause has one picture at least.
        last = max(first + 1, bisect.bisect_left(frames.pts, end, lo=first))
        end = max(end, frames.pts[last - 1] + 1)
    kept = slice(first, last)
    trimmed = replace(
        frames,
        pts=frames.pts[kept],
        read_pts=frames.read_pts[kept],
        seeks=frames.seeks[kept],
        end=end,
    )
    return trimmed, origin


def _ticks(seconds: Fraction, tick: Fraction) -> int:
    return math.floor(seconds / tick + _HALF)


def _at_rate(frames: SourceFrames, rate: Fraction) -> SourceFrames:
    """The frames at a constant rate, as FFmpeg's filter fps chooses them.

    A frame of the result is the last of the source whose time, rounded to the frames of the
    result, is no later. Those that others follow at once are dropped.
    """
    ticks = frames.time_base * rate

    def number(pts: int) -> int:
        """The nearest frame of the result; halves away from zero."""
        scaled = abs(pts) * ticks.numerator * 2 + ticks.denominator
        nearest = scaled // (2 * ticks.denominator)
        return nearest if pts >= 0 else -nearest

    numbers = [number(pts) for pts in frames.pts]
    first = numbers[0]
    end = max(first + 1, number(frames.end))
    chosen = [bisect.bisect_right(numbers, at) - 1 for at in range(first, end)]
    return replace(
        frames,
        time_base=1 / rate,
        pts=list(range(first, end)),
        read_pts=[frames.read_pts[at] for at in chosen],
        seeks=[frames.seeks[at] for at in chosen],
        end=end,
    )
