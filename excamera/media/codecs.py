"""The facts about the codecs of results that containers and steps need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from excamera.errors import UnsupportedSize
from excamera.media import bitstreams


@dataclass(frozen=True, slots=True)
class OutputCodec:
    """A codec of results.

    Coded frames are as Matroska and MP4 hold them: those of H.264 are NAL units with their sizes
    before them, those of AV1 have no temporal delimiters. The *configuration* is the record that
    MP4 has of a stream in `avcC`, `av1C` and `vpcC` (the last without its version and flags); VP8
    has none.

    Attributes:
        name: as users choose it, a name in `excamera.job.codecs.CODECS`.
        title: its name in messages.
        fourcc: its name in IVF.
        matroska_id: its name in Matroska and WebM.
        max_width_px: the greatest width that it, or its encoder, can hold.
        max_height_px: the greatest height.
        is_key_frame: whether a coded frame is a key frame.
        is_shown: whether a coded frame is shown.
        configured: whether the configuration is the codec's private data in Matroska.
        ivf_prefix: what stands before each frame in IVF.
        min_side_px: the least width and height.
        even_sides: whether width and height must be even.
        reordered: how many frames its encoder may decode before one that is shown earlier.
    """

    name: str
    title: str
    fourcc: bytes
    matroska_id: str
    max_width_px: int
    max_height_px: int
    is_key_frame: Callable[[bytes], bool]
    is_shown: Callable[[bytes], bool]
    configured: bool = False
    ivf_prefix: bytes = b""
    min_side_px: int = 1
    even_sides: bool = False
    reordered: int = 0

    def check_size(self, width: int, height: int, name: str) -> None:
        """Refuse pictures that the codec cannot hold.

        Args:
            width: px.
            height: px.
            name: of the source, for the message.

        Raises:
            UnsupportedSize: the message says what it can hold.
        """
        sides = f"{name}: {width}x{height} pixels; {self.title}"
        if width > self.max_width_px or height > self.max_height_px:
            raise UnsupportedSize(
                f"{sides} holds at most {self.max_width_px} each way"
                if self.max_width_px == self.max_height_px
                else f"{sides} holds at most {self.max_width_px}x{self.max_height_px} here"
            )
        if min(width, height) < self.min_side_px:
            raise UnsupportedSize(f"{sides} needs at least {self.min_side_px} each way here")
        if self.even_sides and (width % 2 or height % 2):
            raise UnsupportedSize(
                f"{sides} needs an even width and height here: choose another codec"
            )


# The step that stitches asks neither: it begins faster without the codec.


def _is_key_frame(frame: bytes) -> bool:
    from codec import is_key_frame

    return is_key_frame(frame)


def _is_shown(frame: bytes) -> bool:
    from codec import is_shown

    return is_shown(frame)


def _always(_frame: bytes) -> bool:
    return True


VP8 = OutputCodec(
    name="vp8",
    title="VP8",
    fourcc=b"VP80",
    matroska_id="V_VP8",
    max_width_px=16383,  # 14 bits in the frame header
    max_height_px=16383,
    is_key_frame=_is_key_frame,
    is_shown=_is_shown,
)

# A packet of these encoders shows exactly one frame: hidden ones are in the same packet.
VP9 = OutputCodec(
    name="vp9",
    title="VP9",
    fourcc=b"VP90",
    matroska_id="V_VP9",
    max_width_px=16384,
    max_height_px=16384,
    is_key_frame=bitstreams.vp9_is_key_frame,
    is_shown=_always,
)

AV1 = OutputCodec(
    name="av1",
    title="AV1",
    fourcc=b"AV01",
    matroska_id="V_AV1",
    max_width_px=16384,  # of SVT-AV1
    max_height_px=8704,
    is_key_frame=bitstreams.av1_is_key_frame,
    is_shown=_always,
    configured=True,
    ivf_prefix=bitstreams.TEMPORAL_DELIMITER,
    min_side_px=4,
)

H264 = OutputCodec(
    name="h264",
    title="H.264",
    fourcc=b"H264",
    matroska_id="V_MPEG4/ISO/AVC",
    max_width_px=16384,  # of x264
    max_height_px=16384,
    is_key_frame=bitstreams.h264_is_key_frame,
    is_shown=_always,
    configured=True,
    even_sides=True,
    reordered=2,  # x264's pyramid of frames that others do not follow has two steps
)

OUTPUT_CODECS: Mapping[str, OutputCodec] = {one.name: one for one in (VP8, VP9, AV1, H264)}
"""The codecs of results by name."""
