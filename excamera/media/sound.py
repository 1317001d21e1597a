"""A whole track of sound, as containers take it."""

from __future__ import annotations

from dataclasses import dataclass

from excamera.media.container.webm import AudioTrack, Block


@dataclass(frozen=True, slots=True)
class Sound:
    """A whole track of Opus or AAC: its header fields, and its blocks in time order.

    Attributes:
        track: the header fields.
        blocks: in order.
        copied: whether they are the source's own.
        skipped_packets: packets of the source that could not be decoded.
        note: what a user should know of the channels, or "".
        rate: samples of a second.
        first: of AAC, where the first packet begins on the film's clock, in samples.
        samples: of AAC, how many are heard.
    """

    track: AudioTrack
    blocks: list[Block]
    copied: bool
    skipped_packets: int = 0
    note: str = ""
    rate: int = 48_000
    first: int = 0
    samples: int = 0

    @property
    def end_ms(self) -> float:
        """When the last sample that is heard ends."""
        if self.samples:
            delay = round(self.track.delay_ns * self.rate / 1_000_000_000)
            return (self.first + delay + self.samples) * 1000 / self.rate
        last = self.blocks[-1]
        return last.time_ms + 20 - (last.discard_ns + self.track.delay_ns) / 1e6
