"""Standard range from high dynamic range: PQ or HLG in BT.2020 becomes BT.709.

Light is brought under the white of a standard screen by the curve of ITU-R BT.2390, which leaves
dark and middle tones alone. It is chosen by the largest of red, green and blue, so hues stay.
Colours outside BT.709 are clipped. Only single operations of IEEE arithmetic are used, for the
tables, too, and swscale's exact paths: every machine makes equal bytes.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from excamera.media.source.powers import Numbers, exp, power

PQ, HLG = 16, 18
"""Transfer characteristics of H.273."""

NAMES = {PQ: "PQ", HLG: "HLG"}

WHITE_NITS = 203.0
"""Light of white in a film of high range, and so of a standard screen (ITU-R BT.2408)."""

USUAL_PEAK_NITS = 1000
"""The brightest light of a film that does not say its own."""

_BITS = 12
_CODES = 1 << _BITS
_FINE = 1 << 16  # steps of the square root of light
_GAMMA = 2.4  # of a standard screen (ITU-R BT.1886)
_HLG_GAMMA = 1.2

# From light in BT.2020 to light in BT.709 (ITU-R BT.2087).
_TO_709 = (
    (1.6605, -0.5876, -0.0728),
    (-0.1246, 1.1329, -0.0083),
    (-0.0182, -0.1006, 1.1187),
)

Light = NDArray[np.float32]


def is_high_range(transfer: int) -> bool:
    """Whether pictures with such transfer characteristics are of high dynamic range."""
    return transfer in NAMES


def peak_nits(frame: VideoFrame) -> int:
    """The brightest light of the screen on which a film was made, in cd/m^2."""
    try:
        data = cast(Any, frame.side_data)["MASTERING_DISPLAY_METADATA"]
    except (KeyError, ValueError):  # ValueError: PyAV does not know a kind of side data
        return USUAL_PEAK_NITS
    # Three primaries and a white point of two fractions each, then the least and the most light.
    numbers = np.frombuffer(memoryview(data), np.int32)
    num, den, known = int(numbers[18]), int(numbers[19]), int(numbers[21])
    if not known or den <= 0:
        return USUAL_PEAK_NITS
    return min(10_000, max(math.ceil(WHITE_NITS) + 1, round(num / den)))


def tone_mapped(codes: tuple[NDArray[np.uint16], ...], transfer: int, peak: int) -> list[Any]:
    """Red, green and blue of a standard screen.

    Args:
        codes: red, green and blue in BT.2020, full range, uint16 with 12 bits, (h, w) each.
        transfer: `PQ` or `HLG`.
        peak: the brightest light, see `peak_nits`.

    Returns:
        The same in BT.709.
    """
    lights, gains, screen = _tables(transfer, peak)
    gain = gains[np.maximum(np.maximum(codes[0], codes[1]), codes[2])]
    mapped: list[Light] = [lights[code] * gain for code in codes]
    found = []
    for row in _TO_709:
        # One operation at a time: sums of products may be rounded differently elsewhere.
        parts = [one * np.float32(factor) for one, factor in zip(mapped, row, strict=True)]
        light = np.clip((parts[0] + parts[1]) + parts[2], np.float32(0), np.float32(1))
        found.append(screen[(np.sqrt(light) * np.float32(_FINE - 1)).astype(np.uint16)])
    return found


@cache
def _tables(transfer: int, peak: int) -> tuple[Light, Light, NDArray[np.uint16]]:
    """Light by code; the factor by the largest code; codes by the square root of light."""
    codes = np.arange(_CODES) / (_CODES - 1)
    lights = _pq_nits(codes) / WHITE_NITS if transfer == PQ else _hlg_light(codes)
    shown = lights if transfer == PQ else _hlg_shown(lights)
    mapped = _bt2390(shown * WHITE_NITS, float(peak)) / WHITE_NITS
    gains = np.divide(mapped, lights, out=np.zeros_like(lights), where=lights > 0)
    screen = np.rint(power(np.arange(_FINE) / (_FINE - 1), 2 / _GAMMA) * (_CODES - 1))
    return lights.astype(np.float32), gains.astype(np.float32), screen.astype(np.uint16)


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_NITS = 10_000.0


def _pq_nits(values: Numbers) -> Numbers:
    """SMPTE ST 2084."""
    root = power(values, 1 / _M2)
    return _PQ_NITS * power(np.maximum(0.0, root - _C1) / (_C2 - _C3 * root), 1 / _M1)


def _pq_values(nits: Numbers) -> Numbers:
    root = power(nits / _PQ_NITS, _M1)
    return power((_C1 + _C2 * root) / (1 + _C3 * root), _M2)


def _hlg_light(values: Numbers) -> Numbers:
    """Light of the scene, 0 to 1, by ITU-R BT.2100."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(values <= 1 / 2, values * values / 3, (exp((values - c) / a) + b) / 12)


def _hlg_shown(light: Numbers) -> Numbers:
    """Light of a screen of 1000 cd/m^2, as a multiple of white."""
    return power(light, _HLG_GAMMA) * 1000 / WHITE_NITS


def _bt2390(nits: Numbers, peak: float) -> Numbers:
    """What stands for some light on a screen that is no brighter than white."""
    brightest, white = map(float, _pq_values(np.array([peak, WHITE_NITS])))
    target = white / brightest
    values = np.minimum(1.0, _pq_values(nits) / brightest)
    knee = 1.5 * target - 0.5
    t = np.maximum(0.0, values - knee) / (1 - knee)
    square, cube = t * t, t * t * t
    bent = (
        (2 * cube - 3 * square + 1) * knee
        + (cube - 2 * square + t) * (1 - knee)
        + (3 * square - 2 * cube) * target
    )
    return _pq_nits(np.where(values > knee, bent, values) * brightest)
