"""What size pictures have after the options `crop`, `scale` and `ladder`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from excamera.errors import OptionError
from excamera.job import forms
from excamera.job.geometry import Geometry, Rung
from excamera.job.options import EncodeOptions


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
