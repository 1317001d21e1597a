"""IVF as a container of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from excamera.errors import ContainerError
from excamera.job.plan import Plan
from excamera.job.records import AudioRecord
from excamera.media.codecs import VP8, OutputCodec
from excamera.media.container import ivf
from excamera.media.container.protocol import Cues, Run, Stamped
from excamera.media.container.webm import Block


@dataclass(frozen=True, slots=True)
class Ivf:
    """IVF: a header and frames; it keeps the source's clock, and holds no sound."""

    codec: OutputCodec = VP8
    name: str = "ivf"
    media_type: str = "video/x-ivf"
    holds_sound: bool = False
    holds_chapters: bool = False
    sound_codec: str = ""
    counts_frames: bool = True

    def batch(self, plan: Plan, frames: Sequence[Stamped], *, last: bool) -> tuple[bytes, Cues]:
        """See `OutputContainer.batch`."""
        prefix = self.codec.ivf_prefix
        return ivf.frames((pts, prefix + frame) for pts, frame in frames), []

    def with_sound(
        self,
        data: bytes,
        cues: Cues,
        before: Sequence[Block],
        behind: Sequence[Block],
        start_ms: int,
    ) -> tuple[bytes, Cues]:
        """IVF holds no sound.

        Raises:
            ContainerError: always.
        """
        raise ContainerError("IVF holds no sound")

    def wrap(
        self,
        plan: Plan,
        packets: int,
        sound: AudioRecord | None,
        runs: Sequence[Run],
        config: bytes = b"",
    ) -> tuple[bytes, bytes]:
        """See `OutputContainer.wrap`."""
        return self.header(plan, packets), b""

    def header(self, plan: Plan, count: int) -> bytes:
        """The front of a file of `count` frames."""
        geometry = plan.geometry
        return ivf.header(geometry.width, geometry.height, plan.time_base, count, self.codec)
