"""Opus packets of a source as those of the result, perhaps cut at both ends, exactly.

Packets are not changed. What a player must drop at the start is the pre-skip of the track's head;
what it must not play at the end is said of the last packet (RFC 7845).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from excamera.media.container.webm import AUDIO_TRACK, Block
from excamera.media.opus import RATE

_PRE_ROLL = RATE * 80 // 1000
"""Samples after which a decoder that began in the middle sounds as it should."""

_PRE_SKIP = slice(10, 12)
"""Where an `OpusHead` has it."""


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """A packet of the source.

    Attributes:
        time_s: when its first sample is heard in the result, or would be, in seconds.
        length: its samples; 0 if that is unknown.
        discard: samples at its end that are not to be played.
        data: the packet.
    """

    time_s: Fraction
    length: int
    discard: int
    data: bytes


def pre_skip(head: bytes) -> int:
    """Samples that a decoder drops at the start."""
    return int.from_bytes(head[_PRE_SKIP], "little")


def nearest(number: Fraction) -> int:
    """The nearest whole number, halves up."""
    return math.floor(number + Fraction(1, 2))


def nanoseconds(samples: int) -> int:
    """How long some samples last."""
    return samples * 1_000_000_000 // RATE


def copied(
    head: bytes, packets: Sequence[OpusPacket], *, trimmed: bool, end: int | None
) -> tuple[bytes, list[Block]]:
    """The head and the blocks of a track.

    Args:
        head: of the source's track.
        packets: all that begin before the end.
        trimmed: whether the track begins at time 0 exactly; else it keeps its own start, less
            the packets before time 0.
        end: the sample at which it ends; None for its own end.
    """
    delay = pre_skip(head)
    if trimmed and packets:
        starts = [packet.time_s for packet in packets]
        first = max(0, bisect.bisect_right(starts, -Fraction(_PRE_ROLL, RATE)) - 1)
        own = delay if first == 0 else 0
        # What a player drops at the start ends exactly at time 0.
        delay = max(own, nearest(-starts[first] * RATE))
        packets = packets[first:]
        head = head[: _PRE_SKIP.start] + delay.to_bytes(2, "little") + head[_PRE_SKIP.stop :]
    blocks = []
    for packet in packets:
        time_ms = nearest((packet.time_s + Fraction(delay, RATE)) * 1000)
        if time_ms < 0:
            continue
        discard = packet.discard
        if end is not None and packet.length:
            discard = max(discard, nearest(packet.time_s * RATE) + packet.length - end)
        blocks.append(
            Block(AUDIO_TRACK, time_ms, packet.data, key=True, discard_ns=nanoseconds(discard))
        )
    return head, blocks
