"""What an estimate needs to know of a film."""

from __future__ import annotations

from dataclasses import dataclass, replace

from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.plan import Plan
from excamera.price.costs import Ladder, Shape


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
        rungs: how many sizes these are; 0 without a ladder.
    """

    frames: int
    width: int
    height: int
    duration_s: float
    sound: int = 1
    bits: int = 8
    sizes: float = 1.0
    rungs: int = 0

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
            rungs=len(plan.rungs),
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
        shape = Shape.of(self.frames, options, self.pixels, limits)
        return replace(shape, ladder=self.ladder(options))

    def ladder(self, options: EncodeOptions) -> Ladder | None:
        """The files of its ladder, if the options have one."""
        if not self.rungs:
            return None
        return Ladder.of(self.rungs, options, self.sound, self.duration_s)
