"""Frames of real clips."""

from functools import cache
from itertools import islice
from pathlib import Path

import av

from codec import Raster
from tests.support.streams import i420


@cache
def clip_pictures(path: Path, count: int) -> list[Raster]:
    """Returns a clip's first frames, which must be 8-bit 4:2:0."""
    with av.open(str(path)) as container:
        frames = islice(container.decode(video=0), count)
        return [Raster.from_i420(i420(frame), frame.width, frame.height) for frame in frames]
