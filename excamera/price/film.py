"""What an estimate needs to know of a film."""

from __future__ import annotations

from dataclasses import dataclass

from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.plan import Plan
from excamera.price.costs import Shape


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be encoded.

    Attributes:
        frames: number of frames.
        width: width of a frame, px.
        height: height of a frame, px.
        duration_s: duration.
        sound: how many sound tracks it has.
        bits: of a sample of the result.
        sizes: the pixels of a frame in all sizes of a ladder, in times those of `width` and
            `height`. Whatever grows with pixels is taken to grow by it.
    """

    frames: int
    width: int
    height: int
    duration_s: float
    sound: int = 1
    bits: int = 8
    sizes: float = 1.0

    @classmethod
    def of(cls, plan: Plan, frames: int) -> Film:
        """What a plan encodes, with so many frames."""
        return cls(
            frames,
            plan.geometry.width,
            plan.geometry.height,
            float(plan.end * plan.time_base),
            sound=len(plan.source.audio_streams),
            bits=plan.geometry.bits,
            sizes=plan.pixels / (plan.geometry.width * plan.geometry.height),
        )

    @property
    def megapixels(self) -> float:
        """Megapixels of one frame, in all sizes."""
        return self.pixels / 1e6

    @property
    def pixels(self) -> int:
        """Pixels of one frame, in all sizes."""
        return round(self.width * self.height * self.sizes)

    def cut(self, options: EncodeOptions, limits: Limits) -> Shape:
        """How the options cut it, and how workers within limits share it."""
        return Shape.of(self.frames, options, self.pixels, limits)
