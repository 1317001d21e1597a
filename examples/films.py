"""What a decoder other than ours sees of a film, for the examples that make films."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

import mu


class Seen(NamedTuple):
    """When each frame is shown, and how large the steps between neighbouring pixels are."""

    times_ms: list[int]
    mean_step: float


def look_at(film: str) -> Seen:
    """Decode a whole film by FFmpeg."""
    times, steps = [], []
    with mu.open(film) as file, av.open(file, "r") as source:
        for frame in source.decode(video=0):
            seconds = (frame.pts or 0) * (frame.time_base or 1)
            times.append(math.floor(seconds * 1000 + Fraction(1, 2)))
            grey = frame.to_ndarray(format="gray").astype(np.int16)
            steps.append(np.abs(np.diff(grey)).mean())
    return Seen(times, float(np.mean(steps)))
