"""The options that are written as text: what users may write, and what it means."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from excamera.errors import OptionError

_HIGHEST_RATE = 1000
_LONGEST_TEXT = 20
_RATE = re.compile(r"\d+(\.\d+)?(/\d+(\.\d+)?)?", re.ASCII)
_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_MINUTE = 60
_LINES = re.compile(r"(\d{1,5})p", re.ASCII)
_AUTOMATIC = (-1, -2)
_MOST_RUNGS, _FEWEST_LINES = 10, 16

TIME_FORM = "seconds, or H:MM:SS, such as 90, 1:30 or 00:01:30.5"
RATE_FORM = "a number of at most 1000, such as 24, 23.976 or 24000/1001"
CROP_FORM = "W:H:X:Y in pixels"
SCALE_FORM = (
    "W:H in pixels, one of them -1 or -2 to keep the shape; or such as 1080p, which makes larger "
    "pictures smaller and never enlarges any"
)
AUDIO_FORM = "numbers from 1 or languages such as eng, with commas between them; all; or none"
LADDER_FORM = "sizes such as 1080p,720p,480p"

NO_AUDIO = "none"
"""The value of `audio` that leaves out all sound."""

ALL_AUDIO = "all"
"""The value of `audio` that keeps every sound track."""


class Area(NamedTuple):
    """A part of the picture, in pixels."""

    width: int
    height: int
    x: int
    y: int


def parse_time(name: str, text: str) -> Fraction:
    """A time in seconds, exactly.

    Args:
        name: of the option, for messages.
        text: see `TIME_FORM`.

    Raises:
        OptionError: it is none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None or len(text) > _LONGEST_TEXT:
        raise OptionError(f"{name} must be {TIME_FORM}, not {text!r}")
    hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    if (found[2] is not None and seconds >= _MINUTE) or (found[1] and minutes >= _MINUTE):
        raise OptionError(f"{name} must be {TIME_FORM}, not {text!r}: 60 are one of the next")
    return (hours * _MINUTE + minutes) * _MINUTE + seconds


def parse_start(text: str) -> Fraction:
    """Where the result begins, in seconds."""
    return parse_time("start", text)


def parse_duration(text: str) -> Fraction:
    """How long the result is, in seconds.

    Raises:
        OptionError: it is no time, or 0.
    """
    found = parse_time("duration", text)
    if not found:
        raise OptionError("duration must be more than 0")
    return found


def parse_rate(text: str) -> Fraction:
    """A frame rate as users write it: "24", "23.976" (which means 24000/1001) or "24000/1001".

    Raises:
        OptionError: it is none.
    """
    rate = Fraction(0)
    if _RATE.fullmatch(text.strip()) and len(text) <= _LONGEST_TEXT:
        number, _, divisor = text.strip().partition("/")
        divided = Fraction(divisor or 1)
        rate = Fraction(number) / divided if divided else rate
    if not 0 < rate <= _HIGHEST_RATE:
        raise OptionError(f"fps must be {RATE_FORM}, not {text!r}")
    places = len(text.strip().partition(".")[2])
    slowed = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    is_rounded = 1 < places < _LONGEST_TEXT and "/" not in text
    return slowed if is_rounded and round(slowed, places) == rate else rate


def parse_crop(text: str) -> Area:
    """The part of the picture that is kept.

    Raises:
        OptionError: it is none, or begins in the middle of a chroma sample.
    """
    numbers = _numbers("crop", text, CROP_FORM)
    if len(numbers) != len(Area._fields):
        raise OptionError(f"crop must be {CROP_FORM}, not {text!r}")
    area = Area(*numbers)
    if min(area.width, area.height) < 1 or min(area.x, area.y) < 0:
        raise OptionError(f"crop must be {CROP_FORM}, W and H at least 1, not {text!r}")
    if area.x % 2 or area.y % 2:
        raise OptionError(f"crop must begin at even X and Y, as colour has half the size: {text!r}")
    return area


def parse_scale(text: str) -> tuple[int, int] | int:
    """Width and height of the result, one perhaps -1 or -2; or the most of its shorter side.

    Raises:
        OptionError: it is no size.
    """
    lines = _LINES.fullmatch(text.strip())
    if lines is not None and int(lines[1]) > 1:
        return int(lines[1])
    numbers = _numbers("scale", text, SCALE_FORM)
    if len(numbers) != len("WH"):
        raise OptionError(f"scale must be {SCALE_FORM}, not {text!r}")
    width, height = numbers
    given = [side for side in numbers if side not in _AUTOMATIC]
    if not given or min(given) < 1:
        raise OptionError(f"scale must be {SCALE_FORM}, not {text!r}")
    return width, height


def parse_ladder(text: str) -> tuple[int, ...]:
    """The most pixels of the shorter side in each of several sizes, the largest first.

    Raises:
        OptionError: it is no list of sizes, or two of them are the same.
    """
    found = [_LINES.fullmatch(part.strip()) for part in text.split(",")]
    lines = [_even_lines(int(one[1])) for one in found if one is not None]
    if len(lines) < len(found) or min(lines) < _FEWEST_LINES or len(lines) > _MOST_RUNGS:
        raise OptionError(
            f"ladder must be {LADDER_FORM}, at most {_MOST_RUNGS} of at least {_FEWEST_LINES}p, "
            f"not {text!r}"
        )
    if len(set(lines)) < len(lines):
        raise OptionError(f"ladder has a size twice: {text!r}")
    return tuple(sorted(lines, reverse=True))


def _even_lines(lines: int) -> int:
    return lines - lines % 2


def parse_audio(text: str) -> tuple[int | str, ...]:
    """Which sound tracks: their numbers from 1 or languages; `NO_AUDIO` or `ALL_AUDIO` alone.

    Raises:
        OptionError: it is none of these.
    """
    chosen = tuple(_sound_track(part) for part in text.lower().split(","))
    whole = {NO_AUDIO, ALL_AUDIO} & set(chosen)
    if None in chosen or (whole and len(chosen) > 1):
        raise OptionError(f"audio must be {AUDIO_FORM}, not {text!r}")
    return tuple(one for one in chosen if one is not None)


def _sound_track(text: str) -> int | str | None:
    chosen = text.strip()
    if chosen.isascii() and chosen.isdecimal() and int(chosen) > 0:
        return int(chosen)
    return chosen if re.fullmatch(r"[a-z][a-z0-9-]{1,34}", chosen) else None


def _numbers(name: str, text: str, form: str) -> list[int]:
    try:
        return [int(part) for part in text.strip().replace("x", ":").split(":")]
    except ValueError:
        raise OptionError(f"{name} must be {form}, not {text!r}") from None
