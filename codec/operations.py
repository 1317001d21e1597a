"""The codec's operations: pure functions of a state, a frame and a raster."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from codec._library import EncodeOptions, FrameStart, Pointer, check, library, take_buffer
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


class BufferCopy(IntEnum):
    """Where a reference that is not refreshed is copied from (RFC 6386, 9.7)."""

    NONE = 0
    FROM_LAST = 1
    FROM_OTHER = 2  # golden from altref, altref from golden


@dataclass(frozen=True)
class EncodeSettings:
    """How a frame is encoded, besides its quantizer.

    Attributes:
        refresh_golden: an inter frame becomes the golden reference too.
        refresh_altref: an inter frame becomes the altref reference too.
        copy_to_golden: what else golden becomes.
        copy_to_altref: what else altref becomes.
        filter_level: of the loop filter, 0 to 63; None searches for the level that
            comes closest to the source.
    """

    refresh_golden: bool = False
    refresh_altref: bool = False
    copy_to_golden: BufferCopy = BufferCopy.NONE
    copy_to_altref: BufferCopy = BufferCopy.NONE
    filter_level: int | None = None

    def _native(self, y_ac_qi: int) -> EncodeOptions:
        return EncodeOptions(
            y_ac_qi,
            self.refresh_golden,
            self.refresh_altref,
            self.copy_to_golden,
            self.copy_to_altref,
            -1 if self.filter_level is None else self.filter_level,
        )


class Encoded(NamedTuple):
    """A frame's bytes, and the state a decoder has after them."""

    frame: bytes
    state: State


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
    """Whether a frame is displayed, by its first byte. One of no bytes is: it repeats the last."""
    return not frame or bool(frame[0] & 0x10)


def is_key_frame(frame: bytes) -> bool:
    """Whether a frame can be decoded without a state, by its first byte."""
    return bool(frame) and not frame[0] & 1


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
        BitstreamError: the bytes cannot be decoded, or are an inter frame or none at
            all where there is no state.
    """
    after, raster = ctypes.c_void_p(), ctypes.c_void_p()
    check(
        library().xc_decode(
            _handle(state), frame, len(frame), ctypes.byref(after), ctypes.byref(raster)
        )
    )
    return Decoded(State(after), Raster(raster))


_DEFAULT_SETTINGS = EncodeSettings()


def encode_key_frame(
    raster: Raster, y_ac_qi: int, settings: EncodeSettings = _DEFAULT_SETTINGS
) -> Encoded:
    """Encodes a raster as a key frame.

    Args:
        raster: the picture.
        y_ac_qi: quantizer index, 0 (finest) to 127.
        settings: only filter_level applies.

    Raises:
        FrameArgumentError: an index or level out of range.
    """
    frame, after = ctypes.c_void_p(), ctypes.c_void_p()
    options = settings._native(y_ac_qi)
    check(
        library().xc_encode_key_frame(
            _handle(raster), ctypes.byref(options), ctypes.byref(frame), ctypes.byref(after)
        )
    )
    return Encoded(take_buffer(frame), State(after))


def encode_inter_frame(
    state: State, raster: Raster, y_ac_qi: int, settings: EncodeSettings = _DEFAULT_SETTINGS
) -> Encoded:
    """Encodes a raster as an inter frame against any state of its size.

    The slow work: motion search over all three references, mode decision by rate
    and distortion, choice of the filter level and of the probabilities.

    Args:
        state: what precedes the frame.
        raster: the picture.
        y_ac_qi: quantizer index, 0 (finest) to 127.
        settings: what the frame does to golden and altref, and its filter level.

    Raises:
        FrameArgumentError: an index or level out of range.
        StateMismatch: state and raster differ in size.
    """
    frame, after = ctypes.c_void_p(), ctypes.c_void_p()
    options = settings._native(y_ac_qi)
    check(
        library().xc_encode_inter_frame(
            _handle(state),
            _handle(raster),
            ctypes.byref(options),
            ctypes.byref(frame),
            ctypes.byref(after),
        )
    )
    return Encoded(take_buffer(frame), State(after))


def rebase(state: State, raster: Raster, frame: bytes, made_for: State) -> Encoded:
    """Codes an inter frame again for another state (the paper's rebase).

    Modes, motion vectors and quantizers stay; prediction and residue are made
    anew from `state`, the probabilities chosen anew for the new tokens.

    Args:
        state: what really precedes the frame.
        raster: the picture the frame shows, as it was before encoding.
        frame: an inter frame.
        made_for: the state `frame` was made for, without which it cannot be read.

    Raises:
        BitstreamError: `frame` cannot be read.
        FrameArgumentError: it is a key frame, or has no bytes.
        StateMismatch: states and raster differ in size.
    """
    out, after = ctypes.c_void_p(), ctypes.c_void_p()
    check(
        library().xc_rebase(
            _handle(state),
            _handle(raster),
            frame,
            len(frame),
            _handle(made_for),
            ctypes.byref(out),
            ctypes.byref(after),
        )
    )
    return Encoded(take_buffer(out), State(after))
