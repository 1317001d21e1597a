"""Which channels of a source's sound become which of the result's.

WebM players know the eight layouts of Opus's mapping family 1. The result has the smallest one that
holds every channel of the source, so a 2.1 becomes a 5.1 of which three channels are silent. Only
what has a place in none of them is mixed down.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

Channels = tuple[str, ...]
"""The channels of a layout in their order, by FFmpeg's names: "FL", "LFE" and so on."""

OPUS_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""By FFmpeg's names; each has one channel more than the one before."""


@dataclass(frozen=True, slots=True)
class Family:
    """The layouts that a result can have.

    Attributes:
        name: what has them, for messages.
        layouts: by FFmpeg's names, of which the first has one channel.
    """

    name: str
    layouts: tuple[str, ...]


OPUS = Family("Opus in WebM", OPUS_LAYOUTS)
AAC = Family("AAC in MP4", ("mono", "stereo", "3.0", "5.0", "5.1"))
"""Those that every player of MP4 knows."""

_UNKNOWN = "NONE"
_HALF_POWER = 0.5**0.5

# What FFmpeg calls the same channel: the second name serves if a layout has none of the first.
_ALSO = {"SL": "BL", "SR": "BR", "BL": "SL", "BR": "SR", "DL": "FL", "DR": "FR", "LFE2": "LFE"}

# Where a channel without a place of its own goes: the first of these that the result has.
_NEAR: dict[str, tuple[Channels, ...]] = {
    "FC": (("FL", "FR"),),
    "BC": (("BL", "BR"), ("SL", "SR"), ("FL", "FR")),
    "BL": (("SL",), ("BC",), ("FL",)),
    "BR": (("SR",), ("BC",), ("FR",)),
    "SL": (("BL",), ("BC",), ("FL",)),
    "SR": (("BR",), ("BC",), ("FR",)),
    "TC": (("FL", "FR"),),
    "LFE2": (("LFE",),),
    **dict.fromkeys(("FLC", "WL", "TFL", "BFL"), (("FL",),)),
    **dict.fromkeys(("FRC", "WR", "TFR", "BFR"), (("FR",),)),
    **dict.fromkeys(("TFC", "BFC"), (("FC",), ("FL", "FR"))),
    **dict.fromkeys(("TSL", "TBL", "SDL"), (("SL",), ("BL",), ("FL",))),
    **dict.fromkeys(("TSR", "TBR", "SDR"), (("SR",), ("BR",), ("FR",))),
    "TBC": (("BL", "BR"), ("SL", "SR"), ("FL", "FR")),
}

# Two cardioids that look left and right; higher orders only sharpen them.
_AMBISONIC = {"AMBI0": (0.5, 0.5), "AMBI1": (0.5, -0.5)}


def channels_of(layout: av.AudioLayout) -> Channels:
    """The channels of a layout; all "NONE" if it only has a number of them."""
    return tuple(channel.name for channel in layout.channels)


def take_layout(context: AudioCodecContext) -> Channels:
    """The channels that a container states.

    FFmpeg may keep the order of channels in memory of its own, which PyAV frees twice: with such a
    layout, each decoded frame would end the process. So the decoder of one gets their number only.

    Args:
        context: a decoder that has decoded nothing.
    """
    layout = context.layout
    found = channels_of(layout)
    if " channels (" in layout.name or "+" in layout.name:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))  # the decoder frees what it refers to
        context.layout = av.AudioLayout(f"{len(found)} channels")
    return found


def result_layout(sources: Collection[Channels], family: Family = OPUS) -> str:
    """The smallest layout of a family that holds the most channels of all these layouts."""
    wide = [_meant(source) for source in sources if len(source) > 1]
    if not wide:
        return family.layouts[0]

    def fits(name: str) -> tuple[int, int]:
        target = _opus(name)
        return sum(len(_places(source, target)) for source in wide), -len(target)

    return max(family.layouts[1:], key=fits)


def mixing(source: Channels, layout: str) -> NDArray[np.float32]:
    """What to multiply samples of a source with, to get those of the result.

    Channels that have a place of their own are as loud as before, unless others are mixed into
    them so that the sum may be too loud.

    Args:
        source: its channels.
        layout: one of `OPUS_LAYOUTS`.

    Returns:
        float32, shape (channels of the source, channels of the result).
    """
    target = _opus(layout)
    meant = _meant(source)
    matrix = np.zeros((len(meant), len(target)), np.float32)
    places = _places(meant, target)
    for at, name in enumerate(meant):
        for other, gain in [(places[at], 1.0)] if at in places else _near(name, target):
            matrix[at, other] = gain
    return matrix / max(1.0, float(np.abs(matrix).sum(axis=0).max()))


def mixed_down(source: Channels, name: str, layout: str, family: Family = OPUS) -> str:
    """A line for users if a source's layout is not kept or not known, else "".

    Args:
        source: its channels.
        name: FFmpeg's, of its layout.
        layout: the result's.
        family: of that.
    """
    target = _opus(layout)
    meant = _meant(source)
    if not _is_known(source):
        if len(source) <= 2:
            return ""
        so = f"taken as {layout}" if meant == target else "the first two are kept as stereo"
        return f"sound: the layout of its {len(source)} channels is unknown; {so}"
    if len(source) == 1:
        return ""
    if any(one.startswith("AMBI") for one in source):
        return f"sound: {name}, which {family.name} cannot hold, was mixed down to {layout}"
    places = _places(meant, target)
    homeless = [one for at, one in enumerate(meant) if at not in places]
    mixed = [one for one in homeless if _near(one, target)]
    lost = [one for one in homeless if one not in mixed]
    parts = [
        *([f"{_listed(mixed)} mixed into the other channels"] if mixed else []),
        *([f"{_listed(lost)} left out"] if lost else []),
    ]
    why = f"{family.name} has no layout with all channels of {name}"
    return f"sound: {why}; encoded as {layout}, {', '.join(parts)}" if parts else ""


def _is_known(source: Channels) -> bool:
    """Whether each channel has a name of its own."""
    return _UNKNOWN not in source and len(set(source)) == len(source)


def _meant(source: Channels) -> Channels:
    """The channels as they are taken, if some are not known."""
    if _is_known(source) and len(source) > 1:
        return source
    if len(source) <= len(OPUS_LAYOUTS):
        return _opus(OPUS_LAYOUTS[len(source) - 1])
    return (*_opus("stereo"), *[_UNKNOWN] * (len(source) - 2))


def _places(source: Channels, target: Channels) -> Mapping[int, int]:
    """Which channels have a place of their own, and which: numbers in both layouts."""
    found = {}
    for at, name in enumerate(source):
        also = _ALSO.get(name, "")
        if name in target:
            found[at] = target.index(name)
        elif also in target and also not in source:
            found[at] = target.index(also)
    return found


def _near(name: str, target: Channels) -> list[tuple[int, float]]:
    """Where a channel without a place of its own goes, and how loud."""
    if name in _AMBISONIC:
        left, right = _AMBISONIC[name]
        return [(target.index("FL"), left), (target.index("FR"), right)]
    for others in _NEAR.get(name, ()):
        if set(others) <= set(target):
            gain = _HALF_POWER if len(others) > 1 else 1.0
            return [(target.index(other), gain) for other in others]
    return []


def _listed(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


@cache
def _opus(name: str) -> Channels:
    return channels_of(av.AudioLayout(name))


class Layouts:
    """The layouts that a stream has had so far, and the result's that serves them all.

    Attributes:
        layout: one of the family's, which can only be trusted once all of the stream was seen.
        family: the layouts that the result can have.
    """

    def __init__(self, family: Family = OPUS) -> None:
        self.family = family
        self._names: dict[Channels, str] = {}
        self.layout = ""

    def is_new(self, source: Channels, name: str) -> bool:
        """Add a layout; whether `layout` has changed."""
        if source in self._names:
            return False
        self._names[source] = name
        before, self.layout = self.layout, result_layout(self._names, self.family)
        return self.layout != before

    def notes(self) -> Iterator[str]:
        """What a user should know of each."""
        for source, name in self._names.items():
            note = mixed_down(source, name, self.layout, self.family)
            if note:
                yield note
