"""The frames of a source whose container cannot be trusted, from decoding it once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from excamera.errors import NoFrames
from excamera.media.source.clock import GAP_S, Clock, Ticks
from excamera.media.source.decoder import Decoder, Mark, Marked
from excamera.media.source.entries import EntryFinder
from excamera.media.source.media import Opened, demux_past_damage
from excamera.media.source.patience import Patience
from excamera.media.source.recorded import Entry, can_record, recorded, table


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame in display order.

    Attributes:
        mark: which packet shows it; None if that is not known.
        duration: in ticks of the stream, 0 if unknown.
        damaged: whether the container or the decoder says that parts of it are missing.
    """

    mark: Mark | None
    duration: int = 0
    damaged: bool = False


class Recording:
    """Decodes a source once, and records the packets of its picture.

    Attributes:
        shown: the frames, in display order.
        times: of each packet, when it is shown, in ticks; None if the container does not say.
        last_end: when the last packet ends, in ticks, and the number of the last one with content;
            None if the container does not say.
        video: what the packets of the picture say of the time.
        sounds: what those of each sound track say.
        interlaced: whether some frames are.
        repeats: how many packets say that the picture stays as it is.
        failed: how many packets could not be decoded.
        ends_early: whether the last packets show that the source was cut off.
        is_complete: whether all packets could be recorded.
    """

    def __init__(
        self,
        opened: Opened,
        sounds: Sequence[AudioStream],
        look: Callable[[VideoFrame], None],
        deadline: float | None = None,
    ) -> None:
        """Prepares to read a source.

        Args:
            opened: it, at its start.
            sounds: the streams that go with the picture.
            look: is given every frame, in order.
            deadline: Unix time before which all of it must be decoded; None for no limit.
        """
        self._patience = None if deadline is None else Patience(deadline)
        self._opened = opened
        self._streams = [opened.video, *sounds]
        self._look = look
        self._finder = EntryFinder(opened.video.codec_context)
        self.shown: list[Shown] = []
        self.times: list[int | None] = []
        self.last_end: tuple[int, int] | None = None
        self.video = Ticks()
        self.sounds = [Ticks() for _ in sounds]
        self.interlaced = False
        self.repeats = 0
        self._corrupt: set[int] = set()
        self.failed = 0
        self.ends_early = False
        self.is_complete = True

    @property
    def entries(self) -> Sequence[Entry]:
        """Where decoding can start."""
        return self._finder.entries

    @property
    def damaged(self) -> int:
        """How many frames are damaged."""
        return sum(frame.damaged for frame in self.shown)

    def parts(self) -> Iterator[bytes]:
        """Decode the source; what the object with the recorded packets is made of.

        Raises:
            NoFrames: nothing could be decoded.
            SlowSource: it would take too long.
        """
        decoder = Decoder(self._opened.video.codec_context)
        offset = 0
        corrupt = False
        try:
            for number, packet in enumerate(self._packets()):
                corrupt = packet.is_corrupt
                if corrupt:
                    self._corrupt.add(number)
                self.is_complete = self.is_complete and can_record(packet)
                data = recorded(packet)
                self._finder.begin(packet, number, offset)
                self._take(decoder.decode(packet, number))
                self._finder.go_on(packet, number)
                offset += len(data)
                if self._patience is not None and self._opened.file is not None:
                    self._patience.check(self._opened.name, self._opened.file.share)
                yield data
        except av.error.FFmpegError:
            corrupt = True
        self._opened.check()
        self._take(decoder.finish())
        self._finder.finish()
        if not self.shown:
            raise NoFrames(f"{self._opened.name}: has no frames")
        self.failed = decoder.failed
        self.ends_early = corrupt or decoder.last_failed or self.shown[-1].damaged
        yield table(self.entries, offset)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The packets of the picture that have content; the times of all are noted."""
        sounds = {
            stream.index: ticks
            for stream, ticks in zip(self._streams[1:], self.sounds, strict=True)
        }
        heard = dict.fromkeys(sounds, 0)
        for place, packet in enumerate(demux_past_damage(self._opened.container, *self._streams)):
            stream = packet.stream_index
            if stream != self._opened.video.index:
                if packet.size:
                    _note(sounds[stream], packet, place, heard[stream])
                    heard[stream] += 1
                continue
            if packet.pts is not None:
                end = packet.pts + (packet.duration or 0)
                self.last_end = end, max(0, len(self.times) - (packet.size == 0))
            self.repeats += packet.size == 0 and packet.pts is not None
            if packet.size:
                _note(self.video, packet, place, len(self.times))
                self.times.append(packet.pts)
                yield packet

    def _take(self, frames: Sequence[Marked]) -> None:
        self._finder.see(frames, len(self.shown))
        for frame, mark in frames:
            self._look(frame)
            self.interlaced |= frame.interlaced_frame
            damaged = frame.is_corrupt or (mark is not None and mark[0] in self._corrupt)
            self.shown.append(Shown(mark, frame.duration or 0, damaged))


def _note(ticks: Ticks, packet: Packet[Any], place: int, number: int) -> None:
    time, base = packet.dts, packet.time_base
    if time is None or (packet.pts is not None and abs(packet.pts - time) * base > GAP_S):
        # FFmpeg counts decoding times on past a jump, until the container tells one.
        time = packet.pts
    if time is not None:
        shown = time if packet.pts is None else packet.pts
        duration = (packet.duration or 0) * base
        ticks.add(place, number, float(time * base), float(shown * base), float(duration))


def display_times(
    shown: Sequence[Shown],
    times: Sequence[int | None],
    last_end: tuple[int, int] | None,
    clock: Clock,
    time_base: Fraction,
    rate: Fraction,
) -> tuple[list[int], int]:
    """When each frame is shown, and when the last one ends, in ticks.

    Frames without a time of their own follow the frame before at the frame rate; a source without
    any starts at 0. A container may tell the times in decoding order: the frames get them in
    their own order.

    Args:
        shown: see `Recording`, as the next two.
        times: see there.
        last_end: see there.
        clock: of the picture.
        time_base: seconds of a tick.
        rate: frames a second.
    """
    step = 1 / (rate * time_base)

    def corrected(ticks: int, packet: int) -> Fraction:
        return ticks + clock.correction(packet) / time_base

    own: list[Fraction | None] = []
    for frame in shown:
        packet, turn = frame.mark or (0, 1)
        ticks = times[packet] if turn == 0 else None
        own.append(None if ticks is None else corrected(ticks, packet))
    in_order = iter(sorted(time for time in own if time is not None))
    result: list[Fraction] = []
    for one in own:
        follows = result[-1] + step if result else Fraction(0)
        time = follows if one is None else next(in_order)
        result.append(max(time, result[-1]) if result else time)
    # The durations of raw streams mean nothing: these have no times.
    known = shown[-1].duration if own[-1] is not None else 0
    ends = [result[-1] + (known or max(1, round(step)))]
    if last_end is not None:
        ends.append(corrected(*last_end))
    return [round(time) for time in result], round(max(ends))
