"""The codec's operations: pure functions of a state, a frame and a raster."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import NamedTuple

from codec._library import FrameStart, Pointer, check, library, take_buffer
from codec.raster import Raster
from codec.state import State


@dataclass(frozen=True)
class FrameHeader:
    """The uncompressed start of a frame (RFC 6386, 9.1).

    Attributes:
        key_frame: it can be decoded without a state.
        version: 0 to 3: which interpolation filters it uses.
        show_frame: it is to be displayed.
        first_partition_size: in bytes.
        width: display width in pixels; None on inter frames, as the next three.
        height: display height in pixels.
        horizontal_scale: upscaling a player is asked for, 0 to 3.
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


class Decoded(NamedTuple):
    """What a frame makes of a state, and the raster it decodes to."""

    state: State
    raster: Raster


def read_header(frame: bytes) -> FrameHeader:
    """Reads a frame's first bytes, without decoding it.

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
    """Whether a frame is displayed. One of no bytes is: it repeats the last."""
    return not frame or read_header(frame).show_frame


def _handle(value: Raster | State | None) -> Pointer | None:
    return None if value is None else value._handle


def decode(state: State | None, frame: bytes) -> Decoded:
    """Decodes one frame (RFC 6386, bit-exact).

    Args:
        state: what precedes the frame; None is enough for a key frame.
        frame: one frame's bytes. No bytes at all repeat the last raster.

    Returns:
        The state after the frame, and its raster, also where it is not shown.

    Raises:
        BitstreamError: the bytes cannot be decoded.
        StateMismatch: an inter frame without a state.
    """
    after, raster = ctypes.c_void_p(), ctypes.c_void_p()
    check(
        library().xc_decode(
            _handle(state), frame, len(frame), ctypes.byref(after), ctypes.byref(raster)
        )
    )
    return Decoded(State(after), Raster(raster))
