"""The facts about the codec of results that containers and steps need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import codec


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


VP8 = OutputCodec(
    fourcc=b"VP80",
    matroska_id="V_VP8",
    max_side_px=16383,  # 14 bits in the frame header
    is_key_frame=codec.is_key_frame,
    is_shown=codec.is_shown,
)
