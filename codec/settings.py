"""How a frame is encoded: its role among the references, its quantizers, its effort."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from codec._library import NativeEncodeSettings, NativeSegments
from codec.errors import FrameArgumentError

_SEGMENTS = 4


class Reference(IntEnum):
    """The pictures of a state that inter frames are predicted from."""

    LAST = 1
    GOLDEN = 2
    ALTREF = 3


class BufferCopy(IntEnum):
    """Where a reference that is not refreshed is copied from (RFC 6386, 9.7)."""

    NONE = 0
    FROM_LAST = 1
    FROM_OTHER = 2  # golden from altref, altref from golden


DEFAULT_EFFORT = 2


@dataclass(frozen=True)
class Segments:
    """Up to four kinds of macroblocks with their own quantizers (RFC 6386, 9.3).

    Attributes:
        map: the segment of each macroblock, 0 to 3: uint8, shape (macroblock rows, columns). None
            keeps the state's map; FFmpeg's decoder has it only if the frame before has segments,
            too, and this one is no key frame.
        quantizer_deltas: of each segment, added to the frame's `y_ac_qi`; -127 to 127.
        filter_deltas: of each segment, added to the frame's filter level; -63 to 63.
    """

    map: npt.NDArray[np.uint8] | None
    quantizer_deltas: tuple[int, int, int, int]
    filter_deltas: tuple[int, int, int, int] = (0, 0, 0, 0)

    def native(self) -> NativeSegments:
        """The segments as the library takes them; its arrays live as long as the result.

        Raises:
            FrameArgumentError: a map of another type, or not four segments.
        """
        if self.map is not None and (self.map.dtype != np.uint8 or self.map.ndim != 2):
            raise FrameArgumentError(
                f"a segment map is uint8 in two dimensions, not {self.map.dtype} in {self.map.ndim}"
            )
        for deltas in (self.quantizer_deltas, self.filter_deltas):
            if len(deltas) != _SEGMENTS:
                raise FrameArgumentError(f"{_SEGMENTS} segments, not {len(deltas)}")
        data = None if self.map is None else self.map.tobytes()
        return NativeSegments(
            (ctypes.c_int32 * _SEGMENTS)(*self.quantizer_deltas),
            (ctypes.c_int32 * _SEGMENTS)(*self.filter_deltas),
            data,
            0 if data is None else len(data),
        )


@dataclass(frozen=True)
class EncodeSettings:
    """How a frame is encoded, besides its quantizer.

    Attributes:
        show: whether players show the frame; a hidden one only changes the state.
        refresh_entropy: whether the next frame starts from this frame's probabilities; if not,
            it starts from those before this frame.
        refresh_last: an inter frame becomes the last reference.
        refresh_golden: an inter frame becomes the golden reference too.
        refresh_altref: an inter frame becomes the altref reference too.
        copy_to_golden: the buffer that golden is copied from, if it is not refreshed.
        copy_to_altref: the buffer that altref is copied from, if it is not refreshed.
        golden_sign_bias: whether vectors into golden point the other way than those into last;
            None keeps what the state has.
        altref_sign_bias: likewise for altref.
        segments: kinds of macroblocks with their own quantizers, if there are any.
        filter_level: of the loop filter, 0 to 63; None searches for the level that
            comes closest to the source.
        effort: how much is tried, 0 (the fastest) to 4 (the smallest frames).
    """

    show: bool = True
    refresh_entropy: bool = True
    refresh_last: bool = True
    refresh_golden: bool = False
    refresh_altref: bool = False
    copy_to_golden: BufferCopy = BufferCopy.NONE
    copy_to_altref: BufferCopy = BufferCopy.NONE
    golden_sign_bias: bool | None = None
    altref_sign_bias: bool | None = None
    segments: Segments | None = None
    filter_level: int | None = None
    effort: int = DEFAULT_EFFORT

    def native(self, y_ac_qi: int) -> NativeEncodeSettings:
        """The settings as the library takes them."""
        return NativeEncodeSettings(
            y_ac_qi,
            self.show,
            self.refresh_entropy,
            self.refresh_last,
            self.refresh_golden,
            self.refresh_altref,
            self.copy_to_golden,
            self.copy_to_altref,
            -1 if self.golden_sign_bias is None else self.golden_sign_bias,
            -1 if self.altref_sign_bias is None else self.altref_sign_bias,
            -1 if self.filter_level is None else self.filter_level,
            self.effort,
            None if self.segments is None else ctypes.pointer(self.segments.native()),
        )
