"""The start of a frame: what its first bytes say without decoding it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from codec._library import FrameStart, check, library


@dataclass(frozen=True)
class FrameHeader:
    """The uncompressed start of a frame (RFC 6386, 9.1).

    Attributes:
        key_frame: whether it can be decoded without a state.
        version: 0 to 3; decides which interpolation filters it uses.
        show_frame: whether it is displayed.
        first_partition_size: in bytes.
        width: display width in pixels; None for inter frames, like the next three.
        height: display height in pixels.
        horizontal_scale: the upscaling that players are asked for, 0 to 3.
        vertical_scale: likewise.
    """

    key_frame: bool
    version: int
    show_frame: bool
    first_partition_size: int
    width: int | None
    height: int | None
    horizontal_scale: int | None
    vertical_scale: int | None


def read_header(frame: bytes) -> FrameHeader:
    """Reads a frame's first bytes without decoding it.

    Raises:
        BitstreamError: too short, no start code, zero size, or version over 3.
    """
    start = FrameStart()
    check(library().xc_parse_frame_start(frame, len(frame), ctypes.byref(start)))
    key_frame = bool(start.key_frame)
    return FrameHeader(
        key_frame=key_frame,
        version=start.version,
        show_frame=bool(start.show_frame),
        first_partition_size=start.first_partition_size,
        width=start.width if key_frame else None,
        height=start.height if key_frame else None,
        horizontal_scale=start.horizontal_scale if key_frame else None,
        vertical_scale=start.vertical_scale if key_frame else None,
    )


def is_shown(frame: bytes) -> bool:
    """Whether a frame is displayed, by its first byte. An empty one is: it repeats the last."""
    return not frame or bool(frame[0] & 0x10)


def is_key_frame(frame: bytes) -> bool:
    """Whether a frame can be decoded without a state, by its first byte."""
    return bool(frame) and not frame[0] & 1
