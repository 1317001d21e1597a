"""The settings of each encoder: libvpx and ours for VP8, and those of the other codecs."""

from __future__ import annotations

from dataclasses import dataclass

from excamera.job.codecs import CODECS, VP8
from excamera.job.rules import Checked, choice, number

CRF_MAX = CODECS[VP8].worst_crf
DEADLINES = ("good", "best", "realtime")
QI_MAX = 127
_LAG_MAX = 25  # libvpx's MAX_LAG_BUFFERS
H264_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)

QI_OF_CRF: tuple[int, ...] = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 15, 17, 18, 19),
    *(20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 35, 37, 39, 41),
    *(43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 64, 67, 70, 73, 76, 79),
    *(82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115, 118, 121, 124, 127),
)
"""libvpx's 0..63 scale (here `crf`) to VP8's `y_ac_qi` 0..127."""

_VP8 = (VP8,)


@dataclass(frozen=True, slots=True)
class VpxSettings(Checked):
    """How libvpx encodes a chunk, in mode rebase; one quantiser for all its inter frames.

    Raises:
        OptionError: a value is not allowed.
    """

    deadline: str = choice(
        "good", DEADLINES, "Effort of libvpx, in mode rebase", offered=True, codecs=_VP8
    )
    # Speeds that follow the clock are not used: in realtime 0 is as 1 and the sign is ignored.
    cpu_used: int = number(
        0, -16, 16, "Speed of libvpx within the deadline, in mode rebase; 0 is the most careful; "
        "in realtime the sign has no effect", offered=True, codecs=_VP8
    )  # fmt: skip
    # The key frame may be better than the rest, never worse. docs/offsets.md has the figures.
    key_frame_q_offset: int = number(-8, -CRF_MAX, 0, "Added to `crf` for the key frame of a chunk")
    tune: str = choice("psnr", ("psnr", "ssim"), "What libvpx's decisions count as distortion")
    lag_in_frames: int = number(0, 0, _LAG_MAX, "Frames that libvpx may look ahead")
    auto_alt_ref: int = number(
        0, 0, 1, "1 lets libvpx code hidden altref frames, if it may look ahead"
    )


@dataclass(frozen=True, slots=True)
class AnchorSettings(Checked):
    """How our encoder codes a batch, in mode anchors.

    Raises:
        OptionError: a value is not allowed.
    """

    effort: int = number(
        2, 0, 4, "How hard our encoder tries in mode anchors: 0 is the fastest, 4 the most careful",
        offered=True, codecs=_VP8
    )  # fmt: skip

    @property
    def ordinary_effort(self) -> int:
        """Of frames between anchors: one less, for few others are predicted from them."""
        return max(self.effort - 1, 0)


@dataclass(frozen=True, slots=True)
class RebaseSettings(Checked):
    """How the chunks of a batch are joined, in mode rebase.

    Raises:
        OptionError: a value is not allowed.
    """

    # docs/offsets.md has the figures.
    first_frame_qi_offset: int = number(
        -4, -QI_MAX, QI_MAX, "Added to `y_ac_qi` for the re-encoded first frames of "
        "chunks 2 to x"
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlainSettings(Checked):
    """How the encoders of the other codecs trade time for size, each on its own scale.

    Raises:
        OptionError: a value is not allowed.
    """

    vp9_cpu_used: int = number(
        2, 0, 5, "libvpx's cpu-used for vp9: 0 is the most careful, 5 the fastest",
        offered=True, codecs=("vp9",)
    )  # fmt: skip
    av1_preset: int = number(
        8, 0, 12, "SVT-AV1's preset for av1: 0 is the most careful, 12 the fastest",
        offered=True, codecs=("av1",)
    )  # fmt: skip
    h264_preset: str = choice(
        "medium", H264_PRESETS, "x264's preset for h264, from the fastest to the most careful",
        offered=True, codecs=("h264",)
    )  # fmt: skip
