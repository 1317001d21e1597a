"""Tells early whether reading all of a source will take longer than there is time."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from pathlib import PurePath
from shlex import quote

from excamera.errors import SlowSource

_LEARNED_S = 20.0
"""Seconds of reading that tell how long the rest takes."""

_SURE = 1.5
"""A source is given up if it would take so many times as long as there is: its parts differ."""


class Patience:
    """The time that there is for a source.

    Args:
        deadline: Unix time before which it must be read.
        now: tells the Unix time.
    """

    def __init__(self, deadline: float, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._began = now()
        self._all_s = max(1.0, deadline - self._began)

    def check(self, name: str, share: float) -> None:
        """Give up in time; cheap enough for every packet.

        Args:
            name: of the source.
            share: how much of it has been read, from 0 to 1.

        Raises:
            SlowSource: says what it would take, and how the source gets an index.
        """
        took_s = self._now() - self._began
        if took_s < _LEARNED_S or took_s <= share * self._all_s * _SURE:
            return
        expected_s = took_s / max(share, took_s / 1e6)
        source = PurePath(name)
        target = source.with_suffix(".mp4" if source.suffix == ".mkv" else ".mkv")
        raise SlowSource(
            f"{name}: its frames are only known once one call has decoded all of it, which would "
            f"take about {ceil(expected_s / 60):,} minutes; a call may take "
            f"{int(self._all_s // 60)}. A container that lists its frames spares that: "
            f"ffmpeg -i {quote(source.name)} -c copy {quote(target.name)}"
        )
