"""AAC of broadcasts: packets with a header of their own (ADTS, ISO/IEC 13818-7 and 14496-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet

_SYNC = 0xFFF
_HEADER, _CHECKED_HEADER = 7, 9
"""Bytes of a header, without and with a checksum."""


@dataclass(frozen=True, slots=True)
class AdtsHeader:
    """What a header says that does not change within a track.

    Attributes:
        kind: audio object type, 2 for low complexity.
        rate: index of the sampling frequency.
        channels: channel configuration; 0 if the packet itself says it.
    """

    kind: int
    rate: int
    channels: int

    @property
    def configuration(self) -> bytes:
        """The same as an AudioSpecificConfig."""
        return (self.kind << 11 | self.rate << 7 | self.channels << 3).to_bytes(2, "big")


def split(packet: bytes) -> tuple[AdtsHeader, bytes] | None:
    """A packet's header and the raw block of AAC behind it; None if it is no such packet.

    A packet with several blocks is none: MP4 has a sample for each block.
    """
    if len(packet) < _HEADER:
        return None
    bits = int.from_bytes(packet[:_HEADER], "big")

    def field(first: int, count: int) -> int:
        return bits >> (8 * _HEADER - first - count) & (1 << count) - 1

    size = _HEADER if field(15, 1) else _CHECKED_HEADER
    is_sound = field(0, 12) == _SYNC and field(13, 2) == 0
    is_whole = field(30, 13) == len(packet) > size and field(54, 2) == 0
    if not (is_sound and is_whole):
        return None
    return AdtsHeader(field(16, 2) + 1, field(18, 4), field(23, 3)), packet[size:]


class Unwrapper:
    """Takes the headers off the packets of a track.

    Each packet is decoded, too: broadcasts lose bits, which headers do not show.

    Attributes:
        header: of every packet.
    """

    def __init__(self, header: AdtsHeader) -> None:
        self.header = header
        self._decoder = AudioCodecContext.create("aac", "r")

    def block(self, packet: Packet[Any]) -> bytes | None:
        """The raw block of the next packet; None if it is damaged or has another header."""
        found = split(bytes(packet))
        if found is None or found[0] != self.header or packet.is_corrupt:
            return None
        try:
            self._decoder.decode(packet)
        except av.error.FFmpegError:
            return None
        return found[1]
