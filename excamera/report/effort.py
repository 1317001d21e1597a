"""How much of a film can be measured in the time that a cloud function has.

`make bench-reports` measures what the work takes; benchmarks/results/reports.json has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MEASURE_S = 0.016
"""CPU seconds for PSNR and SSIM of a megapixel of luma, on an AMD EPYC."""

DECODE_S = 0.009
"""CPU seconds for decoding a megapixel of a source in H.264 and of its result, there too."""

SCALE_S = 0.001
"""CPU seconds for scaling a megapixel of a source to a smaller size, there too."""

_DECODED = 2
"""How often: to measure, and to take pictures."""

_SHARE = 0.5
"""Of the time. The rest is for reading the result, for other CPUs than that one, for the page."""

_SHARE_AFTER_DEATH = 0.25
"""Of that, for each earlier attempt that ran out of time or memory."""


def sampled(
    frames: int,
    source_pixels: int,
    pixels: Sequence[int],
    batches: int,
    *,
    seconds: float,
    cpus: float,
    died: int = 0,
) -> int:
    """Every how many-th batch of a film can be measured: 1 for all, 0 for none.

    Args:
        frames: of the film.
        source_pixels: of a frame of the source, which is decoded once for all sizes.
        pixels: of a frame of the result, of a ladder in each size.
        batches: of the film. Decoding begins at batches, so what is left out costs nothing.
        seconds: that the function has.
        cpus: that it has.
        died: attempts before this one that did not end.
    """
    of_all = sum(pixels)
    # Of a source and results of different sizes, what the larger would take if both had it.
    decoding = _DECODED * DECODE_S * max(source_pixels, of_all)
    scaling = SCALE_S * source_pixels * (len(pixels) - 1)
    needed = frames / 1e6 * (MEASURE_S * of_all + decoding + scaling)
    given = seconds * cpus * _SHARE * _SHARE_AFTER_DEATH**died
    if given <= 0:
        return 0
    every = max(1, math.ceil(needed / given))
    return every if every <= max(1, batches) else 0


def ordinal(number: int) -> str:
    """A number as in "every 3rd"."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number:,}{'th' if 10 < number % 100 < 14 else ends.get(number % 10, 'th')}"
