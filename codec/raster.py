"""The Y, U and V planes of one frame."""

from __future__ import annotations

import ctypes
import weakref

import numpy as np
import numpy.typing as npt

from codec._library import Pointer, check, library
from codec.errors import FrameArgumentError

PlaneArray = npt.NDArray[np.uint8]


class Raster:
    """An immutable frame in 8-bit 4:2:0, shared by reference with native code.

    Rasters are equal if their displayed pixels are.

    Attributes:
        width: of the displayed picture, in pixels.
        height: likewise. Chroma planes have half of both, rounded up.
    """

    __slots__ = ("__weakref__", "_handle", "height", "width")

    width: int
    height: int

    def __init__(self, handle: Pointer) -> None:
        """Takes over a native handle; callers use the from_ methods."""
        native = library()
        self._handle = handle
        weakref.finalize(self, native.xc_raster_free, handle)
        self.width = native.xc_raster_width(handle)
        self.height = native.xc_raster_height(handle)

    @classmethod
    def from_planes(cls, y: PlaneArray, u: PlaneArray, v: PlaneArray) -> Raster:
        """Copies three planes in.

        Args:
            y: uint8, shape (height, width), rows of adjacent pixels (any row stride).
            u: uint8, shape ((height + 1) // 2, (width + 1) // 2), likewise.
            v: as u.

        Raises:
            FrameArgumentError: another dtype, shape or layout, or a size that VP8
                cannot hold (1 to 16383 pixels each way).
        """
        planes = (y, u, v)
        if y.ndim != 2:
            raise FrameArgumentError(f"a luma plane has two dimensions, not {y.ndim}")
        height, width = y.shape
        chroma = ((height + 1) // 2, (width + 1) // 2)
        for name, plane, shape in zip(
            "YUV", planes, ((height, width), chroma, chroma), strict=True
        ):
            if plane.dtype != np.uint8 or plane.shape != shape:
                raise FrameArgumentError(
                    f"plane {name} is {plane.dtype} {plane.shape}, not uint8 {shape}"
                )
            if plane.shape[1] > 1 and plane.strides[1] != 1:
                raise FrameArgumentError(
                    f"plane {name} does not hold its rows' pixels side by side"
                )
        pointers = (ctypes.c_void_p * 3)(*(plane.ctypes.data for plane in planes))
        strides = (ctypes.c_ssize_t * 3)(*(plane.strides[0] for plane in planes))
        handle = ctypes.c_void_p()
        check(library().xc_raster_new(width, height, pointers, strides, ctypes.byref(handle)))
        return cls(handle)

    @classmethod
    def from_i420(cls, data: bytes, width: int, height: int) -> Raster:
        """Copies tightly packed planes of display size in.

        Raises:
            FrameArgumentError: the length of `data` does not fit `width` and `height`.
        """
        chroma = ((height + 1) // 2, (width + 1) // 2)
        luma_size, chroma_size = width * height, chroma[0] * chroma[1]
        if len(data) != luma_size + 2 * chroma_size:
            raise FrameArgumentError(
                f"{len(data)} bytes are not an I420 frame of {width}x{height} pixels"
            )
        pixels = np.frombuffer(data, np.uint8)
        y, u, v = np.split(pixels, (luma_size, luma_size + chroma_size))
        return cls.from_planes(y.reshape(height, width), u.reshape(chroma), v.reshape(chroma))

    def i420(self) -> bytes:
        """The planes of display size, Y then U then V, without padding."""
        chroma = ((self.width + 1) // 2) * ((self.height + 1) // 2)
        out = ctypes.create_string_buffer(self.width * self.height + 2 * chroma)
        library().xc_raster_copy_i420(self._handle, out)
        return out.raw

    def planes(self) -> tuple[PlaneArray, PlaneArray, PlaneArray]:
        """The three planes as read-only arrays, shapes as in from_planes."""
        data = np.frombuffer(self.i420(), np.uint8)
        luma = self.width * self.height
        chroma = ((self.height + 1) // 2, (self.width + 1) // 2)
        y, u, v = np.split(data, (luma, luma + chroma[0] * chroma[1]))
        return y.reshape(self.height, self.width), u.reshape(chroma), v.reshape(chroma)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Raster):
            return NotImplemented
        return bool(library().xc_raster_equal(self._handle, other._handle))

    def __hash__(self) -> int:
        return hash(self.i420())

    def __reduce__(self) -> tuple[object, tuple[bytes, int, int]]:
        return Raster.from_i420, (self.i420(), self.width, self.height)

    def __repr__(self) -> str:
        return f"Raster({self.width}x{self.height})"
