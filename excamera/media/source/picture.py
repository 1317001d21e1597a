"""Conversion of any decoded frame to I420: 8 or 10 bits, 4:2:0, limited range.

swscale runs with its bit-exact flags and one thread, so every machine makes equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from excamera.job.geometry import Geometry, Light
from excamera.media.source.tonemapping import tone_mapped

Plane = NDArray[np.unsignedinteger[Any]]
Planes = tuple[Plane, Plane, Plane]
"""Y, U and V, (h, w) and twice ((h + 1) // 2, (w + 1) // 2); uint8, or uint16 with 10 bits."""

_SUBSAMPLED = {8: "yuv420p", 10: "yuv420p10le"}
_WHOLE = {8: "yuv444p", 10: "yuv444p10le"}
"""Names of formats by the bits of a sample."""

_EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.FULL_CHR_H_INT
)
_JPEG_RANGE = 2  # AVCOL_RANGE_JPEG
_BYTE = 8
_MATRIX_RGB, _UNSPECIFIED, _BT601 = 0, 2, 6  # H.273

_BT709, _BT2020 = 1, 9  # H.273, and swscale's
_MATRICES = (_BT709, _BT2020)

_reformatter = VideoReformatter()


def is_rgb(frame: VideoFrame) -> bool:
    """Whether a frame has red, green and blue components (palettes included)."""
    return frame.format.is_rgb or frame.format.name == "pal8"


def is_full_range(frame: VideoFrame) -> bool:
    """Whether luma uses 0..255 rather than 16..235."""
    name = frame.format.name
    return frame.color_range == _JPEG_RANGE or name.startswith(("yuvj", "gray", "ya"))


def bits_of(frame: VideoFrame) -> int:
    """The bits of a sample of a frame; of several kinds of samples, the most."""
    return max(component.bits for component in frame.format.components)


def i420(bits: int) -> str:
    """FFmpeg's name of I420 with 8 or 10 bits."""
    return _SUBSAMPLED[bits]


def geometry_of(frame: VideoFrame, sample_aspect: tuple[int, int]) -> Geometry:
    """Sizes, rotation and colour description, from the first frame of a source."""
    turns, flipped = _orientation(frame)
    num, den = sample_aspect
    rgb = is_rgb(frame)
    return Geometry(
        source_width=frame.width,
        source_height=frame.height,
        quarter_turns=turns,
        flipped=flipped,
        sample_aspect=(den, num) if turns % 2 else (num, den),
        matrix=_BT601 if rgb or frame.colorspace == _MATRIX_RGB else frame.colorspace,
        transfer=frame.color_trc,
        primaries=frame.color_primaries,
        light=_light(frame),
    )


def _light(frame: VideoFrame) -> Light:
    """What the side data of a frame say, in the layouts of FFmpeg's structures."""
    display = _side_data(frame, "MASTERING_DISPLAY_METADATA")
    content = _side_data(frame, "CONTENT_LIGHT_LEVEL")
    primaries: tuple[int, ...] = ()
    luminance: tuple[int, ...] = ()
    if len(display) >= 88:
        *pairs, has_primaries, has_luminance = struct.unpack_from("=22i", display)
        values = [
            Fraction(a, b) if b else None for a, b in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        if has_primaries:
            primaries = _parts(values[:8], 50_000)
        if has_luminance:
            luminance = _parts(values[:7:-1], 10_000)
    found = struct.unpack_from("=2I", content) if len(content) >= 8 else ()
    return Light(primaries, luminance, found if any(found) else ())


def _parts(values: Sequence[Fraction | None], parts: int) -> tuple[int, ...]:
    """Values in such parts; none if one of them is not known."""
    known = [round(value * parts) for value in values if value is not None]
    return tuple(known) if len(known) == len(values) else ()


def _side_data(frame: VideoFrame, name: str) -> bytes:
    try:
        return bytes(memoryview(cast(Any, frame.side_data)[name]))
    except (KeyError, ValueError):  # ValueError: PyAV does not know a kind of side data
        return b""


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Quarter turns counter-clockwise and mirroring, from the display matrix."""
    data = _side_data(frame, "DISPLAYMATRIX")
    if not data:
        return 0, False
    a, b, _, c, d = struct.unpack_from("=5i", data)
    one = 1 << 16
    # The rows are the directions of the x and y axes of the stored picture (y down).
    known = {
        (one, 0, 0, one): (0, False),
        (0, -one, one, 0): (1, False),
        (-one, 0, 0, -one): (2, False),
        (0, one, -one, 0): (3, False),
        (-one, 0, 0, one): (0, True),
        (0, one, one, 0): (1, True),
        (one, 0, 0, -one): (2, True),
        (0, -one, -one, 0): (3, True),
    }
    return known.get((a, b, c, d), (0, False))  # other angles: shown as stored


def to_i420(frame: VideoFrame, geometry: Geometry) -> VideoFrame:
    """A decoded frame as an I420 frame of the result's depth; the same frame if it is one.

    Full range is brought to limited range, more bits than the result has are rounded, other chroma
    layouts and RGB (by BT.601, VP8's matrix) are converted, alpha is dropped, frames of
    another size than the first are scaled to it, rotation is applied.

    Args:
        frame: as PyAV decoded it.
        geometry: from the plan, or from `geometry_of` the first frame.
    """
    if geometry.tone is not None:
        frame = _standard_range(frame, geometry, *geometry.tone)
    turned = geometry.quarter_turns or geometry.flipped
    width, height = geometry.source_width, geometry.source_height
    # A turn can move the odd edge to the side at which chroma pairs begin: turn at 4:4:4.
    via_444 = bool(turned) and (width % 2 == 1 or height % 2 == 1)
    target = (_WHOLE if via_444 else _SUBSAMPLED)[geometry.bits]
    frame = _convert(frame, width, height, target)
    if not turned:
        return frame
    planes = _turn(planes_of(frame), geometry)
    turned_frame = frame_of(planes, target)
    return _convert(turned_frame, *_size(planes), i420(geometry.bits)) if via_444 else turned_frame


def _standard_range(frame: VideoFrame, geometry: Geometry, transfer: int, peak: int) -> VideoFrame:
    """A picture of high dynamic range as one of a standard screen, in BT.709 and 4:4:4."""
    source = frame.colorspace if frame.colorspace in _MATRICES else _BT2020
    high = _reformatter.reformat(
        frame,
        width=geometry.source_width,
        height=geometry.source_height,
        format="gbrp12le",
        src_colorspace=None if is_rgb(frame) else source,
        interpolation=_EXACT,
        src_color_range="JPEG" if is_rgb(frame) or is_full_range(frame) else "MPEG",
        dst_color_range="JPEG",
        threads=1,
    )
    green, blue, red = (_view_of_words(plane) for plane in high.planes)
    standard = av.VideoFrame(high.width, high.height, "gbrp12le")
    red, green, blue = tone_mapped((red, green, blue), transfer, peak)
    for plane, data in zip(standard.planes, (green, blue, red), strict=True):
        _view_of_words(plane)[:] = data
    return _reformatter.reformat(
        standard,
        format=_WHOLE[geometry.bits],
        dst_colorspace=_BT709,
        interpolation=_EXACT,
        src_color_range="JPEG",
        dst_color_range="MPEG",
        threads=1,
    )


def _view_of_words(plane: VideoPlane) -> NDArray[np.uint16]:
    words = plane.line_size // 2
    rows = np.frombuffer(memoryview(plane), np.uint16)[: words * plane.height]
    return rows.reshape(plane.height, words)[:, : plane.width]


def resized(frame: VideoFrame, geometry: Geometry) -> VideoFrame:
    """A frame in I420 as one of the result's size; the same frame if it is one."""
    return _convert(frame, geometry.width, geometry.height, i420(geometry.bits))


def _size(planes: Planes) -> tuple[int, int]:
    return planes[0].shape[1], planes[0].shape[0]


def _convert(frame: VideoFrame, width: int, height: int, target: str) -> VideoFrame:
    full = is_full_range(frame)
    same_size = (frame.width, frame.height) == (width, height)
    if frame.format.name == target and not full and same_size:
        return frame
    rgb = is_rgb(frame)
    return _reformatter.reformat(
        frame,
        width=width,
        height=height,
        format=target,
        dst_colorspace=5 if rgb else None,  # SWS_CS_ITU601
        interpolation=_EXACT,
        src_color_range=None if rgb else ("JPEG" if full else "MPEG"),
        dst_color_range="MPEG",
        threads=1,
    )


def _turn(planes: Planes, geometry: Geometry) -> Planes:
    def one(plane: Plane) -> Plane:
        seen = np.fliplr(plane) if geometry.flipped else plane
        return np.ascontiguousarray(np.rot90(seen, geometry.quarter_turns))

    y, u, v = planes
    return one(y), one(u), one(v)


def _view_of_bytes(plane: VideoPlane) -> NDArray[np.uint8]:
    rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height]
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]


def _view(plane: VideoPlane, bits: int) -> Plane:
    return _view_of_words(plane) if bits > _BYTE else _view_of_bytes(plane)


def planes_of(frame: VideoFrame) -> Planes:
    """The planes of a frame in I420, or another format of three planes, without a copy."""
    y, u, v = (_view(plane, bits_of(frame)) for plane in frame.planes[:3])
    return y, u, v


def frame_of(planes: Planes, pixel_format: str | None = None) -> VideoFrame:
    """Planes as a frame for PyAV's encoders and filters: I420, if no other format is given."""
    width, height = _size(planes)
    bits = 10 if planes[0].dtype == np.uint16 else _BYTE
    frame = av.VideoFrame(width, height, pixel_format or i420(bits))
    for plane, data in zip(planes_of(frame), planes, strict=True):
        plane[:] = data
    return frame
