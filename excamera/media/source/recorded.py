"""The packets of a source's video stream, as one object of the job's store.

A container that cannot be trusted with times, or to find a packet again, is read once, by the index
step, which records the packets. Workers open the source for its headers alone, and take the packets
from here: so nothing limits which codecs a source may have.

The object is a row of packets in decoding order, each behind its head; then, as JSON, the places
where decoding can start; then the offset of these.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from av.packet import Packet, PacketSideData
from av.video.stream import VideoStream

from excamera.errors import SourceMismatch

_HEAD = struct.Struct("<IB")
"""Size of the packet's content, and its flags."""
_TAIL = struct.Struct("<Q")
_KEY, _CORRUPT, _PALETTE = 1, 2, 4
_PALETTE_BYTES = 1024

_ESSENTIAL = frozenset({"new_extradata", "param_change"})
"""Side data that a packet cannot be decoded without, and that PyAV cannot make."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A place where decoding can start.

    Attributes:
        frame: number of the first frame that is then as it should be.
        offset: of the packet at which to start, in bytes.
        packets: how many packets later the one comes that shows this frame.
        turn: which of the frames of that packet it is, from 0.
    """

    frame: int
    offset: int
    packets: int
    turn: int


def can_record(packet: Packet[VideoStream]) -> bool:
    """Whether a packet can be recorded with all that its decoder needs."""
    return not any(one.data_type in _ESSENTIAL for one in packet.iter_sidedata())


def new_packet(data: bytes) -> Packet[VideoStream]:
    """A packet with this content.

    Decoders read some bytes beyond its end. Behind a packet that PyAV makes of bytes lies whatever
    is in memory; behind this one there are zeros, as behind those of demuxers.
    """
    packet: Packet[Any] = Packet(len(data))
    packet.update(data)
    return packet


def recorded(packet: Packet[VideoStream]) -> bytes:
    """A packet as it is recorded."""
    flags = _KEY * packet.is_keyframe | _CORRUPT * packet.is_corrupt
    palette = b""
    if packet.has_sidedata("palette"):
        palette = bytes(packet.get_sidedata("palette"))
        flags |= _PALETTE
    return _HEAD.pack(packet.size, flags) + palette + bytes(packet)


def table(entries: Sequence[Entry], offset: int) -> bytes:
    """The end of the object.

    Args:
        entries: in the order of their frames.
        offset: at which the table begins, in bytes.
    """
    return json.dumps([astuple(entry) for entry in entries]).encode() + _TAIL.pack(offset)


class RecordedPackets:
    """Recorded packets, from any entry on.

    Attributes:
        entries: in the order of their frames.
    """

    def __init__(self, file: BinaryIO, entries: Sequence[Entry], end: int) -> None:
        self._file = file
        self._end = end
        self.entries = entries

    @classmethod
    @contextlib.contextmanager
    def open(cls, source: str | BinaryIO) -> Iterator[Self]:
        """Open the object, a path or a seekable binary file."""
        with contextlib.ExitStack() as stack:
            if isinstance(source, str):
                source = stack.enter_context(Path(source).open("rb"))
            yield cls._read_table(source)

    @classmethod
    def _read_table(cls, file: BinaryIO) -> Self:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - _TAIL.size)
        (end,) = _TAIL.unpack(file.read(_TAIL.size))
        file.seek(end)
        entries = [Entry(*one) for one in json.loads(file.read(size - _TAIL.size - end))]
        return cls(file, entries, end)

    def entry(self, frame: int) -> Entry | None:
        """The last entry that is no later than a frame; None if there is none."""
        found = bisect.bisect_right(self.entries, frame, key=lambda entry: entry.frame)
        return self.entries[found - 1] if found else None

    def packets(
        self, offset: int, donor: Callable[[], Packet[VideoStream] | None]
    ) -> Iterator[Packet[VideoStream]]:
        """Packets from an offset to the end.

        Args:
            offset: of a packet.
            donor: finds a packet of the source itself that has a palette. PyAV makes none from
                bytes, but it lets the one of another packet be changed.
        """
        self._file.seek(offset)
        at = offset
        while at < self._end:
            size, flags = _HEAD.unpack(self._read(_HEAD.size))
            palette = self._read(_PALETTE_BYTES) if flags & _PALETTE else b""
            packet = new_packet(self._read(size))
            packet.is_keyframe = bool(flags & _KEY)
            packet.is_corrupt = bool(flags & _CORRUPT)
            if palette and (found := donor()) is not None:
                side = PacketSideData.from_packet(cast(Any, found), "palette")
                side.update(palette)
                side.to_packet(cast(Any, packet), move=True)
            at += _HEAD.size + len(palette) + size
            yield packet

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise SourceMismatch("the recorded packets of the source end early")
        return data
