"""The packets of all sound tracks, stored so that a worker reads those of its batch only.

A segment has the packets of `SEGMENT_MS`. When sound is stored, nobody knows the batches yet.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence

from excamera.job.records import SEGMENT_MS
from excamera.media.container.webm import Block

_COUNT = struct.Struct("<I")
_PACKET = struct.Struct("<iIQB")  # milliseconds from the segment's start, bytes, discard_ns, track


def payload(size: int, packets: int, segments: int) -> int:
    """The bytes of sound in an object of that size, with so many packets in so many segments."""
    return size - packets * _PACKET.size - segments * _COUNT.size


def pack(blocks: Sequence[Block]) -> tuple[bytes, list[list[int]]]:
    """Packets as segments, one behind the other.

    Args:
        blocks: of sound tracks, each in its order; the tracks may follow each other.

    Returns:
        The bytes; and [number, offset, size] of each segment that is not empty.
    """
    data = bytearray()
    segments = []
    placed = sorted(_placed(blocks), key=lambda one: (one[0], one[1].track))
    for number, group in itertools.groupby(placed, lambda one: one[0] // SEGMENT_MS):
        packets = [block for _, block in group]
        offset, start = len(data), number * SEGMENT_MS
        data += _COUNT.pack(len(packets))
        for one in packets:
            data += _PACKET.pack(one.time_ms - start, len(one.data), one.discard_ns, one.track)
        data += b"".join(one.data for one in packets)
        segments.append([number, offset, len(data) - offset])
    return bytes(data), segments


def span(
    segments: Sequence[Sequence[int]], begin_ms: int | None, end_ms: int | None
) -> tuple[list[int], int, int]:
    """Which segments have the packets of some time; they lie behind each other.

    Args:
        segments: as `pack` returned them.
        begin_ms: where the time begins; None for the start of the track.
        end_ms: where it ends; None for the end of the track.

    Returns:
        Their numbers, the offset of the first and the size of all of them.
    """
    found = [
        one
        for one in segments
        if (begin_ms is None or one[0] >= begin_ms // SEGMENT_MS)
        and (end_ms is None or one[0] * SEGMENT_MS < end_ms)
    ]
    numbers = [number for number, _, _ in found]
    return numbers, found[0][1] if found else 0, sum(size for _, _, size in found)


def between(
    data: bytes, numbers: Iterable[int], begin_ms: int | None, end_ms: int | None
) -> list[Block]:
    """The packets of some time.

    Args:
        data: segments, behind each other.
        numbers: of them.
        begin_ms: see `span`.
        end_ms: see `span`.
    """
    return [
        block
        for at_ms, block in _placed(_unpacked(data, numbers))
        if (begin_ms is None or at_ms >= begin_ms) and (end_ms is None or at_ms < end_ms)
    ]


def _unpacked(data: bytes, numbers: Iterable[int]) -> Iterator[Block]:
    at = 0
    for number in numbers:
        (count,) = _COUNT.unpack_from(data, at)
        at += _COUNT.size
        heads = list(_PACKET.iter_unpack(data[at : at + count * _PACKET.size]))
        at += count * _PACKET.size
        for time_ms, size, discard_ns, track in heads:
            yield Block(
                track,
                number * SEGMENT_MS + time_ms,
                data[at : at + size],
                key=True,
                discard_ns=discard_ns,
            )
            at += size


def _placed(blocks: Iterable[Block]) -> Iterator[tuple[int, Block]]:
    """Packets with the time that places them: the latest up to there, as tracks have an order.

    It is the same if a track is read from the start of a segment on, because the first packet of
    a segment is later than all before it.
    """
    latest: dict[int, int] = {}
    for block in blocks:
        latest[block.track] = max(latest.get(block.track, block.time_ms), block.time_ms)
        yield latest[block.track], block
