"""What plain chunks of VP9, AV1 and H.264 cost: CPU seconds and bits of a megapixel.

Measured by `python -m benchmarks.speed.plain` on 720p of one film; the results are in
`benchmarks/results/plain.json`, with which a test compares these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from excamera.job.codecs import CODECS, VP8
from excamera.job.options import EncodeOptions


@dataclass(frozen=True, slots=True)
class PlainCost:
    """The cost of a codec.

    Attributes:
        steps: of its scale of speed: seconds to encode a megapixel on one CPU, and its bits, at
            the usual `crf`.
        check_s: seconds to decode and count it.
        octave: steps of `crf` that halve the bits.
        time_octave: steps of `crf` that halve the seconds.
        deep: the seconds of 10 bits as a multiple of those of 8, with the usual step.
    """

    steps: Mapping[int | str, tuple[float, int]]
    check_s: float
    octave: float
    time_octave: float
    deep: float = 1.0


COSTS: Mapping[str, PlainCost] = {
    "vp9": PlainCost(
        {
            0: (0.355, 74_000),
            1: (0.151, 76_000),
            2: (0.111, 75_700),
            3: (0.0788, 76_900),
            4: (0.0723, 77_400),
            5: (0.0761, 74_400),
        },
        check_s=0.0019,
        octave=9.0,
        time_octave=23.4,
    ),
    "av1": PlainCost(
        {
            0: (1.73, 88_900),
            1: (0.751, 89_100),
            2: (0.351, 85_200),
            3: (0.219, 75_600),
            4: (0.0658, 43_000),
            5: (0.0462, 42_500),
            6: (0.0375, 43_400),
            7: (0.0301, 44_000),
            8: (0.0209, 57_900),
            9: (0.0137, 55_700),
            10: (0.01, 55_900),
            11: (0.00964, 55_700),
            12: (0.0101, 55_700),
        },
        check_s=0.0017,
        octave=14.5,
        time_octave=45.7,
        deep=1.24,
    ),
    "h264": PlainCost(
        {
            "ultrafast": (0.00413, 269_800),
            "superfast": (0.00791, 102_500),
            "veryfast": (0.0134, 73_000),
            "faster": (0.0224, 87_100),
            "fast": (0.0289, 91_800),
            "medium": (0.033, 89_800),
            "slow": (0.0474, 87_600),
            "slower": (0.0863, 87_900),
            "veryslow": (0.171, 82_500),
            "placebo": (0.546, 84_600),
        },
        check_s=0.0022,
        octave=5.9,
        time_octave=30.2,
        deep=1.57,
    ),
}


def seconds_of(options: EncodeOptions, bits: int = 8) -> float:
    """CPU seconds to encode and check a megapixel of a plain chunk with so many bits a sample."""
    cost = COSTS[options.codec]
    seconds, _ = cost.steps[_step(options)]
    deep = cost.deep if bits > CODECS[VP8].bits else 1.0
    return cost.check_s + seconds * deep * _octaves(options, cost.time_octave)


def bits_of(options: EncodeOptions) -> float:
    """Bits of a megapixel of a plain chunk."""
    cost = COSTS[options.codec]
    _, bits = cost.steps[_step(options)]
    return bits * _octaves(options, cost.octave)


def _octaves(options: EncodeOptions, octave: float) -> float:
    return float(2 ** ((CODECS[options.codec].crf - options.crf) / octave))


def _step(options: EncodeOptions) -> int | str:
    plain = options.plain
    steps: dict[str, int | str] = {
        "vp9": plain.vp9_cpu_used,
        "av1": plain.av1_preset,
        "h264": plain.h264_preset,
    }
    return steps[options.codec]
