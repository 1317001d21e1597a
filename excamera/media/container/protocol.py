"""What every container of results does: batches and sound become one file.

Each worker writes its batch, or the sound, as a self-contained run of bytes, which nobody has to
change again: a file is a front, the runs in order, and an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from excamera.job.plan import Plan
from excamera.job.records import AudioRecord
from excamera.media.codecs import OutputCodec
from excamera.media.container.webm import Block

Stamped = tuple[int, bytes]
"""A coded frame with its timestamp, in the plan's ticks."""

Cues = Any
"""What a container has to know of a run to finish a file, as JSON: WebM, a list of [milliseconds,
offset in the run] of the places that players can seek to; MP4, the tables of samples (see
`excamera.media.container.mp4_run.RunIndex`)."""


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes of the file that lie in the store: a batch with its sound, and cues in these bytes."""

    size: int
    cues: Cues = ()


class OutputContainer(Protocol):
    """A container of results."""

    @property
    def name(self) -> str:
        """Its name, which is also the ending of its files."""

    @property
    def media_type(self) -> str:
        """Its media type."""

    @property
    def holds_sound(self) -> bool:
        """Whether its files have sound."""

    @property
    def holds_chapters(self) -> bool:
        """Whether its files have chapters."""

    @property
    def sound_codec(self) -> str:
        """The codec of its sound: "opus" or "aac"."""

    @property
    def counts_frames(self) -> bool:
        """Whether its clock counts frames, if their rate is constant."""

    @property
    def codec(self) -> OutputCodec:
        """The codec of its video."""

    def batch(self, plan: Plan, frames: Sequence[Stamped], *, last: bool) -> tuple[bytes, Cues]:
        """A batch as a run of the file.

        Args:
            plan: for the clock.
            frames: of the batch, in order of decoding.
            last: whether the result ends here.

        Returns:
            The bytes and the cues.
        """

    def with_sound(
        self,
        data: bytes,
        cues: Cues,
        before: Sequence[Block],
        behind: Sequence[Block],
        start_ms: int,
    ) -> tuple[bytes, Cues]:
        """A batch with its sound.

        Args:
            data: the run that `batch` returned.
            cues: of that.
            before: packets from the batch's time, in order of time, perhaps none.
            behind: if the batch is the last one, packets from after it.
            start_ms: time at which the batch begins.
        """

    def wrap(
        self,
        plan: Plan,
        packets: int,
        sound: AudioRecord | None,
        runs: Sequence[Run],
        config: bytes = b"",
    ) -> tuple[bytes, bytes]:
        """The front and the end of a file.

        Args:
            plan: of the job.
            packets: coded frames of all batches.
            sound: None for a silent file.
            runs: everything between the two, in the file's order.
            config: the configuration of the stream, see `excamera.media.codecs.OutputCodec`.
        """


def stamped(
    coded: Iterable[bytes], pts: Sequence[int], codec: OutputCodec, order: Sequence[int] = ()
) -> list[Stamped]:
    """Coded frames with timestamps; a hidden frame has that of the next shown one.

    Args:
        coded: the frames of a chunk, in order of decoding.
        pts: of its shown frames, in order of display.
        codec: of the frames.
        order: the place of each in order of display, if that is another one and none is hidden.
    """
    if order:
        return [(pts[place], frame) for place, frame in zip(order, coded, strict=True)]
    records = []
    number = 0
    for frame in coded:
        records.append((pts[min(number, len(pts) - 1)], frame))
        number += codec.is_shown(frame)
    return records
