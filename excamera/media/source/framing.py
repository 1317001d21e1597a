"""What becomes of the pictures before and after filters: their range, their part, their size."""

from __future__ import annotations

from dataclasses import replace

from av.video.frame import VideoFrame

from excamera.job.codecs import CODECS, depth_of
from excamera.job.geometry import Geometry, Light
from excamera.job.options import EncodeOptions
from excamera.media.source.picture import bits_of, frame_of, planes_of, resized
from excamera.media.source.tonemapping import NAMES, is_high_range, peak_nits

_BT709 = 1  # H.273


def toned_geometry(geometry: Geometry, options: EncodeOptions, frame: VideoFrame) -> Geometry:
    """The geometry with the option `tonemap`, if the source's first frame has use for it."""
    if not (options.tonemap and is_high_range(frame.color_trc)):
        return geometry
    tone = (int(frame.color_trc), peak_nits(frame))
    # What the source says of its light is not true of the result.
    return replace(
        geometry, tone=tone, matrix=_BT709, transfer=_BT709, primaries=_BT709, light=Light()
    )


def deepened_geometry(geometry: Geometry, options: EncodeOptions, frame: VideoFrame) -> Geometry:
    """The geometry with the option `depth`, by the source's first frame."""
    return replace(geometry, bits=depth_of(options.codec, options.depth, bits_of(frame)))


def range_note(geometry: Geometry) -> str:
    """What a user should know of a source of high dynamic range, else ""."""
    if geometry.tone is not None:
        return f"{NAMES[geometry.tone[0]]} (HDR) of {geometry.tone[1]} cd/m2: made BT.709 (SDR)"
    if is_high_range(geometry.transfer):
        return (
            f"{NAMES[geometry.transfer]} (HDR): kept, with {geometry.bits} bits; --tonemap makes "
            "BT.709 (SDR) of it"
        )
    return ""


def depth_note(geometry: Geometry, options: EncodeOptions, frame: VideoFrame) -> str:
    """What is lost of the depth of a source, else ""."""
    before = bits_of(frame)
    if before <= geometry.bits:
        return ""
    most = CODECS[options.codec].bits
    more = ""
    if geometry.bits < most:
        more = f" (--depth {most} keeps {'them' if most >= before else most})"
    elif most < max(one.bits for one in CODECS.values()):
        more = f", all that {options.codec} has here"
    return f"{before} bits a sample: made {geometry.bits}{more}"


def cropped(frame: VideoFrame, geometry: Geometry) -> VideoFrame:
    """What is kept of a picture in I420."""
    if geometry.crop is None:
        return frame
    width, height, x, y = geometry.crop
    luma, *chroma = planes_of(frame)
    u, v = (one[y // 2 : (y + height + 1) // 2, x // 2 : (x + width + 1) // 2] for one in chroma)
    return frame_of((luma[y : y + height, x : x + width], u, v))


def sized(frame: VideoFrame, geometry: Geometry) -> VideoFrame:
    """A picture as an I420 one of the result's size."""
    return resized(frame, geometry)
