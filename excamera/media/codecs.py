"""The facts about the codec of results that containers and steps need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutputCodec:
    """A codec of results.

    Attributes:
        fourcc: its name in IVF.
        matroska_id: its name in Matroska and WebM.
        max_side_px: the greatest width and height that it can hold.
        is_key_frame: whether a coded frame is a key frame.
        is_shown: whether a coded frame is shown.
    """

    fourcc: bytes
    matroska_id: str
    max_side_px: int
    is_key_frame: Callable[[bytes], bool]
    is_shown: Callable[[bytes], bool]


# The step that stitches asks neither: it begins faster without the codec.


def _is_key_frame(frame: bytes) -> bool:
    from codec import is_key_frame

    return is_key_frame(frame)


def _is_shown(frame: bytes) -> bool:
    from codec import is_shown

    return is_shown(frame)


VP8 = OutputCodec(
    fourcc=b"VP80",
    matroska_id="V_VP8",
    max_side_px=16383,  # 14 bits in the frame header
    is_key_frame=_is_key_frame,
    is_shown=_is_shown,
)
