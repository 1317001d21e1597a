"""The pictures of a job: their sizes, and what becomes of them before they are encoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Light:
    """What the source says of the light of HDR pictures (SMPTE ST 2086, CTA-861.3).

    Attributes:
        primaries: x and y of red, green, blue and white of the display it was mastered on, in
            1/50000; empty if not known.
        luminance: the most and the least of that display, in 1/10000 cd/m2; empty if not known.
        content: the most light of a pixel, and the most of a picture in the mean, in cd/m2; empty
            if not known.
    """

    primaries: tuple[int, ...] = ()
    luminance: tuple[int, ...] = ()
    content: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Geometry:
    """The pictures, before and after rotation.

    Attributes:
        source_width: width of a decoded source frame, px; other frames are scaled to it.
        source_height: height of a decoded source frame, px.
        quarter_turns: rotation to apply, in quarter turns counter-clockwise, 0..3.
        flipped: mirror left to right before turning.
        sample_aspect: pixel width to height of the *turned* picture.
        matrix: H.273 matrix coefficients of the result, 2 when unspecified.
        transfer: H.273 transfer characteristics, 2 when unspecified.
        primaries: H.273 colour primaries, 2 when unspecified.
        light: of the pictures, whose colours are not changed.
        bits: of a sample of the result, 8 or 10.
        crop: width, height, x and y of what is kept of the turned picture, px; None for all.
        size: of the result, px; None if it is what is kept.
        tone: of pictures of high dynamic range that become those of a standard screen: their
            transfer characteristics, and their brightest light in cd/m^2; else None.
    """

    source_width: int
    source_height: int
    quarter_turns: int = 0
    flipped: bool = False
    sample_aspect: tuple[int, int] = (1, 1)
    matrix: int = 2
    transfer: int = 2
    primaries: int = 2
    light: Light = Light()
    bits: int = 8
    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    tone: tuple[int, int] | None = None

    @property
    def turned(self) -> tuple[int, int]:
        """Width and height of the turned picture, px."""
        width, height = self.source_width, self.source_height
        return (height, width) if self.quarter_turns % 2 else (width, height)

    @property
    def kept(self) -> tuple[int, int]:
        """Width and height of what is kept of it, px."""
        return self.turned if self.crop is None else self.crop[:2]

    @property
    def width(self) -> int:
        """Width of the result, px."""
        return (self.size or self.kept)[0]

    @property
    def height(self) -> int:
        """Height of the result, px."""
        return (self.size or self.kept)[1]


@dataclass(frozen=True, slots=True)
class Rung:
    """One of the sizes of a ladder.

    Attributes:
        name: such as "720p".
        size: width and height, px.
        sample_aspect: pixel width to height.
        upload: see `Plan.upload`.
    """

    name: str
    size: tuple[int, int]
    sample_aspect: tuple[int, int] = (1, 1)
    upload: str = ""
