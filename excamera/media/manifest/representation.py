"""One file of a ladder, as manifests describe it; all figures are measured in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from excamera.errors import ContainerError
from excamera.media.bitstreams import (
    aac_codec_string,
    av1_codec_string,
    h264_codec_string,
    vp9_codec_string,
)

SHORTEST_S = Fraction(2)
"""Batches are put together to segments of this length, as each one is a request of a player."""

_CODEC_STRINGS = {
    "h264": h264_codec_string,
    "av1": av1_codec_string,
    "vp9": vp9_codec_string,
    "aac": aac_codec_string,
}


class Segment(NamedTuple):
    """A part of a file that a player asks for; it begins with a key frame.

    Attributes:
        length_s: how long it is shown.
        at: of its first byte in the file.
        size: bytes.
    """

    length_s: Fraction
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class Representation:
    """One file of a ladder.

    Attributes:
        name: such as "720p", or "audio".
        file: its name.
        media_type: such as "video/webm".
        codec: as `codec_string` returned it.
        head: bytes from the file's start that set up a decoder.
        index: first byte and size of the index of segments.
        segments: in order.
        width: px; 0 for sound.
        height: likewise.
        sample_aspect: pixel width to height.
        frame_rate: frames a second in the mean; 0 for sound.
        channels: of sound.
        sampling_rate: of sound, samples a second.
        language: ISO 639-2, or "".
    """

    name: str
    file: str
    media_type: str
    codec: str
    head: int
    index: tuple[int, int]
    segments: Sequence[Segment]
    width: int = 0
    height: int = 0
    sample_aspect: tuple[int, int] = (1, 1)
    frame_rate: Fraction = Fraction(0)
    channels: int = 0
    sampling_rate: int = 0
    language: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether it is the sound."""
        return not self.width

    @property
    def mean_rate(self) -> int:
        """Bits a second in the mean."""
        return _rate(self.segments)

    @property
    def peak_rate(self) -> int:
        """The most bits a second of neighbours that together are about as long as a segment is.

        That is 0.5 to 1.5 times the longest (RFC 8216, 4.3.4.2): a key frame at the start of a
        short segment says nothing of what a connection must carry.
        """
        shortest, longest = self.target_s / 2, self.target_s * 3 / 2
        most = self.mean_rate
        first, length, size = 0, Fraction(0), 0
        for last, one in enumerate(self.segments):
            length, size = length + one.length_s, size + one.size
            while length > longest and first < last:
                length -= self.segments[first].length_s
                size -= self.segments[first].size
                first += 1
            # Those that end here, from the longest to the shortest.
            rest, bits = length, 8 * size
            for begin in range(first, last + 1):
                if rest < shortest or not rest:
                    break
                most = max(most, -(-bits // rest))
                rest -= self.segments[begin].length_s
                bits -= 8 * self.segments[begin].size
        return most

    @property
    def target_s(self) -> Fraction:
        """The length of the longest segment."""
        return max(one.length_s for one in self.segments)


def segment_starts(lengths_s: Sequence[Fraction]) -> list[int]:
    """Which batches begin a segment: as few as possible are shorter than `SHORTEST_S`.

    Args:
        lengths_s: of all batches.
    """
    starts: list[int] = []
    since = SHORTEST_S
    for number, length_s in enumerate(lengths_s):
        if since >= SHORTEST_S:
            starts.append(number)
            since = Fraction(0)
        since += length_s
    return starts


def codec_string(codec: str, config: bytes) -> str:
    """The codec as browsers know it (RFC 6381), with profile and level if it has some.

    Args:
        codec: such as "h264", "opus".
        config: the configuration, see `excamera.media.codecs.OutputCodec`; of AAC its
            AudioSpecificConfig.

    Raises:
        ContainerError: the configuration is missing.
    """
    if codec not in _CODEC_STRINGS:
        return codec
    if not config:
        raise ContainerError(f"the configuration of {codec} is missing")
    return _CODEC_STRINGS[codec](config)


def _rate(segments: Sequence[Segment]) -> int:
    length = sum((one.length_s for one in segments), Fraction(0))
    return -(-8 * sum(one.size for one in segments) // max(length, Fraction(1, 1000)))
