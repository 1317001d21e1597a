"""Streams for property-based tests: VP8's features, in sizes at the edges of threads' rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from codec import Raster
from tests.support.pictures import moving_pictures
from tests.support.streams import Flag, encode_with_libvpx

SEGMENTED = {"deadline": "realtime", "cpu-used": "4", "error-resilient": "default", "b": "80k"}
ONLY_GOLDEN = Flag.FORCE_GOLDEN | Flag.NO_UPD_LAST | Flag.NO_UPD_ALTREF
ONLY_ALTREF = Flag.FORCE_ALTREF | Flag.NO_UPD_LAST | Flag.NO_UPD_GOLDEN
FROM_GOLDEN = Flag.NO_REF_LAST | Flag.NO_REF_ALTREF
FROM_ALTREF = Flag.NO_REF_LAST | Flag.NO_REF_GOLDEN


@dataclass(frozen=True)
class Stream:
    """A stream of libvpx, and the quantizer for encoding it again."""

    width: int
    height: int
    kind: str = "moving"
    seed: int = 0
    segmented: bool = False
    profile: int = 0
    partitions: int = 1
    bitrate: str = "300k"
    flags: tuple[Flag, ...] = (Flag(0),) * 4
    y_ac_qi: int = 40

    def pictures(self) -> list[Raster]:
        """Returns a picture for each flag, and the one before them."""
        count = len(self.flags) + 1
        size = self.width, self.height
        if self.kind != "extremes":
            noise = 20 if self.kind == "noisy" else 2
            return moving_pictures(*size, count, seed=self.seed, noise=noise)
        random = np.random.default_rng(self.seed)
        chroma = ((self.height + 1) // 2, (self.width + 1) // 2)
        return [
            Raster.from_planes(
                *(
                    random.integers(0, 2, shape, np.uint8) * np.uint8(255)
                    for shape in ((self.height, self.width), chroma, chroma)
                )
            )
            for _ in range(count)
        ]

    def frames(self, pictures: list[Raster]) -> list[bytes]:
        """Returns the frames libvpx makes of the pictures, the first of them a key frame."""
        options = {
            "b": self.bitrate,
            "profile": str(self.profile),
            "slices": str(self.partitions),
            **(SEGMENTED if self.segmented else {}),
        }
        return encode_with_libvpx(pictures, options, dict(enumerate(self.flags, start=1)))


_SIZES = st.one_of(
    st.tuples(st.integers(1, 48), st.integers(1, 90)),  # narrower than 4 macroblocks
    st.tuples(st.integers(1, 240), st.integers(1, 16)),  # one macroblock high
    st.tuples(st.integers(129, 240), st.integers(17, 80)),  # 9 macroblocks wide or more
)
_FLAGS = st.sampled_from(
    [Flag(0), ONLY_GOLDEN, ONLY_ALTREF, FROM_GOLDEN, FROM_ALTREF, Flag.NO_UPD_ENTROPY]
)

STREAMS = st.builds(
    lambda size, **rest: Stream(*size, **rest),
    size=_SIZES,
    kind=st.sampled_from(["moving", "noisy", "extremes"]),
    seed=st.integers(0, 1000),
    segmented=st.booleans(),
    profile=st.integers(0, 3),
    partitions=st.sampled_from([1, 2, 4, 8]),
    bitrate=st.sampled_from(["80k", "300k", "2M"]),
    flags=st.tuples(_FLAGS, _FLAGS, _FLAGS),
    y_ac_qi=st.integers(0, 127),
)

# Tried before any drawn example.
EDGES = (
    Stream(1, 1),
    Stream(47, 90, kind="noisy", profile=3, partitions=8),  # 3 macroblocks wide
    Stream(50, 130, segmented=True, y_ac_qi=5),  # 4 wide
    Stream(67, 40, profile=1, flags=(ONLY_GOLDEN, FROM_GOLDEN)),  # 5 wide
    Stream(16, 200, kind="extremes", y_ac_qi=0),  # one wide
    Stream(240, 16, partitions=4, segmented=True, kind="noisy"),  # one high
    Stream(143, 61, profile=2, flags=(ONLY_ALTREF, FROM_ALTREF, Flag.NO_UPD_ENTROPY)),  # 9 wide
    Stream(311, 75, kind="noisy", partitions=8, segmented=True, bitrate="2M", y_ac_qi=12),
)
