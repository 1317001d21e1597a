"""Decoding packets of a source so that every worker counts the same frames.

Packets that cannot be decoded are left out, by all alike. Frames are told apart by the packets that
show them: timestamps of the container say nothing here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from excamera.media.source.media import Opened, demux_past_damage
from excamera.media.source.recorded import Entry

_REORDERED = 256
"""A frame comes out no more than so many packets after its own."""

Mark = tuple[int, int]
"""Of a frame: the number of its packet, and which of the packet's frames it is, from 0."""

Marked = tuple[VideoFrame, Mark | None]
"""A frame and its mark; None if its decoder does not tell the packet."""


class Decoder:
    """Decodes the packets of a stream in order, and marks every frame with its packet.

    Attributes:
        failed: how many packets could not be decoded.
        last_failed: whether the last one could not.
    """

    def __init__(self, context: VideoCodecContext) -> None:
        """Takes over a decoder that has decoded nothing."""
        context.copy_opaque = True
        # With threads, a damaged frame sometimes loses its mark.
        context.thread_count = 1
        self._context = context
        self._turns: dict[int, int] = {}
        self.failed = 0
        self.last_failed = False

    def decode(self, packet: Packet[Any], number: int) -> list[Marked]:
        """The frames that come out when a packet goes in.

        Args:
            packet: with content; its times are overwritten.
            number: of the packet, greater than those before.
        """
        packet.opaque = number
        packet.pts = packet.dts = number
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError:
            self.failed += 1
            self.last_failed = True
            return []
        self.last_failed = False
        return [(frame, self._mark(frame)) for frame in frames]

    def finish(self) -> list[Marked]:
        """The frames that are left when there are no more packets."""
        try:
            frames = self._context.decode(None)
        except av.error.FFmpegError:
            return []
        return [(frame, self._mark(frame)) for frame in frames]

    def _mark(self, frame: VideoFrame) -> Mark | None:
        number = frame.opaque if isinstance(frame.opaque, int) else frame.pts
        if number is None:
            return None
        turn = self._turns.pop(number, 0)
        self._turns[number] = turn + 1
        if len(self._turns) > _REORDERED:
            del self._turns[next(iter(self._turns))]
        return number, turn


def another(context: VideoCodecContext) -> VideoCodecContext:
    """A new decoder for the stream of a context."""
    made = av.CodecContext.create(context.name, "r")
    assert isinstance(made, VideoCodecContext)
    made.codec_tag = context.codec_tag
    made.width, made.height = context.width, context.height
    if context.pix_fmt is not None:
        made.pix_fmt = context.pix_fmt
    made.bits_per_coded_sample = context.bits_per_coded_sample
    if context.extradata is not None:
        made.extradata = context.extradata
    return made


def packets_of(opened: Opened) -> Iterator[Packet[VideoStream]]:
    """The packets of the picture that have content."""
    return (packet for packet in demux_past_damage(opened.container, opened.video) if packet.size)


def counted(
    context: VideoCodecContext, packets: Iterator[Packet[Any]], entry: Entry | None
) -> Iterator[VideoFrame]:
    """Frames with their numbers in the source as timestamps.

    Args:
        context: a new decoder of the stream.
        packets: those of the stream, from its start or from an entry on.
        entry: that entry.
    """
    decoder = Decoder(context)
    number = 0 if entry is None else None
    arriving = (decoder.decode(packet, place) for place, packet in enumerate(packets))
    for frames in itertools.chain(arriving, map(Decoder.finish, [decoder])):
        for frame, mark in frames:
            if entry is not None and mark == (entry.packets, entry.turn):
                number = entry.frame
            if number is not None:
                frame.pts = number
                number += 1
                yield frame
