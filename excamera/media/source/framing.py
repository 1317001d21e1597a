"""What becomes of the pictures before and after filters: their range, their part, their size."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from av.video.frame import VideoFrame

from excamera.errors import OptionError
from excamera.job import forms
from excamera.job.codecs import CODECS, depth_of
from excamera.job.options import EncodeOptions
from excamera.job.plan import Geometry, Light, Rung
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


def cropped_geometry(geometry: Geometry, options: EncodeOptions, name: str) -> Geometry:
    """The geometry with the option `crop`.

    Raises:
        OptionError: that does not lie in the picture.
    """
    if not options.crop:
        return geometry
    area = forms.parse_crop(options.crop)
    width, height = geometry.turned
    if area.x + area.width > width or area.y + area.height > height:
        raise OptionError(
            f"crop {options.crop} does not lie in the pictures of {name}, which have "
            f"{width}x{height} pixels"
        )
    return replace(geometry, crop=(area.width, area.height, area.x, area.y))


def scaled_geometry(geometry: Geometry, options: EncodeOptions) -> Geometry:
    """The geometry with the option `scale`; pixels get the shape that keeps the picture's."""
    if not options.scale:
        return geometry
    before = geometry.width, geometry.height
    meant = forms.parse_scale(options.scale)
    width, height = _at_most(meant, *before) if isinstance(meant, int) else meant
    if (width, height) == before:
        return geometry
    if width < 0:
        width = _in_proportion(height, *before, -width)
    elif height < 0:
        height = _in_proportion(width, *before[::-1], -height)
    return replace(geometry, size=(width, height), sample_aspect=_shape(geometry, width, height))


def rungs_of(geometry: Geometry, options: EncodeOptions) -> tuple[tuple[Rung, ...], str]:
    """The sizes of the option `ladder`, the largest first, and what a user should know of them.

    What is larger than the pictures becomes their own size.
    """
    before = geometry.width, geometry.height
    own = _even(min(before))
    lines = list(dict.fromkeys(min(one, own) for one in options.rungs))
    rungs = tuple(
        Rung(f"{one}p", size, _shape(geometry, *size))
        for one, size in ((one, _at_most(one, *before)) for one in lines)
    )
    larger = [f"{one}p" for one in options.rungs if one > own]
    if not larger:
        return rungs, ""
    instead = "" if own in options.rungs else f"; {own}p instead"
    return rungs, f"{' and '.join(larger)}: larger than the pictures, left out{instead}"


def _shape(geometry: Geometry, width: int, height: int) -> tuple[int, int]:
    """The shape of pixels of another size that keeps the picture's."""
    shape = Fraction(*geometry.sample_aspect)
    shape *= Fraction(geometry.width * height, geometry.height * width)
    return shape.numerator, shape.denominator


def _at_most(most: int, width: int, height: int) -> tuple[int, int]:
    """A size of the same shape with even sides, the shorter of them at most so long; never larger.

    Many players, and H.264 here, take even sizes only.
    """
    most = _even(most)
    if min(width, height) > most:
        if width < height:
            return most, _in_proportion(most, height, width, 2)
        return _in_proportion(most, width, height, 2), most
    return _even(width), _even(height)


def _even(side: int) -> int:
    return max(1, side - side % 2)


def _in_proportion(other: int, side: int, side_of_other: int, multiple: int) -> int:
    """The length of a side next to another, as a multiple of a number."""
    parts = side_of_other * multiple
    return max(1, (2 * other * side + parts) // (2 * parts)) * multiple


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
