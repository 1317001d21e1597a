"""The frames of a source whose container cannot be trusted, from decoding it once.

Nothing that the container says is believed without a look at the pictures: a packet that claims to
be a key frame is a place where decoding can start if a second decoder, begun there, soon shows
the same pictures as the first. Packets that cannot be decoded are counted and left out, by workers
just as here, so all agree on the numbers of the frames.
"""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from excamera.errors import NoFrames
from excamera.media.source.clock import GAP_S, Clock, Tick
from excamera.media.source.media import Opened
from excamera.media.source.picture import geometry_of, planes_of, to_i420
from excamera.media.source.recorded import Entry, can_record, recorded, table

_ALIKE = 4
"""So many frames in a row must be the same for a place where decoding can start."""

_TRIED_PACKETS = 32
"""A second decoder is given up after so many packets."""

_ENTRY_FRAMES = 24
"""Places where decoding can start are no closer than so many packets."""

_KEPT = 256
"""Of so many frames it is known how they look."""

_FARTHEST = 16
"""By so much at most are tries apart if they fail, in units of `_ENTRY_FRAMES`."""

_MOST_ERRORS = 100
"""A container is given up after so many errors in a row."""

Mark = tuple[int, int]
"""Of a frame: the number of its packet, and which of the packet's frames it is."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame in display order.

    Attributes:
        mark: which packet shows it; None if that is not known.
        duration: in ticks of the stream, 0 if unknown.
        damaged: whether its decoder says that parts of it are missing.
    """

    mark: Mark | None
    duration: int
    damaged: bool


class Decoder:
    """Decodes the packets of a stream in order, with every frame marked by its packet.

    Attributes:
        failed: how many packets could not be decoded.
        last_failed: whether the last packet with content could not.
    """

    def __init__(self, context: VideoCodecContext) -> None:
        context.copy_opaque = True
        # With threads, a damaged frame sometimes loses its mark.
        context.thread_count = 1
        self._context = context
        self._turns: Counter[int] = Counter()
        self.failed = 0
        self.last_failed = False

    def decode(self, packet: Packet[Any], number: int) -> list[tuple[VideoFrame, Mark | None]]:
        """The frames that come out when a packet goes in.

        Args:
            packet: with content.
            number: of the packet; the frame that it shows, whenever it comes, is marked with it.
        """
        packet.opaque = number
        packet.pts = packet.dts = number
        return self._frames(packet)

    def finish(self) -> list[tuple[VideoFrame, Mark | None]]:
        """The frames that are left when there are no more packets."""
        return self._frames(None)

    def _frames(self, packet: Packet[Any] | None) -> list[tuple[VideoFrame, Mark | None]]:
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError:
            self.failed += 1
            self.last_failed = packet is not None
            return []
        self.last_failed = False
        return [(frame, self._mark(frame)) for frame in frames]

    def _mark(self, frame: VideoFrame) -> Mark | None:
        number = frame.opaque if isinstance(frame.opaque, int) else frame.pts
        if number is None:
            return None
        turn = self._turns[number]
        self._turns[number] += 1
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


@dataclass(slots=True)
class _Trial:
    """A second decoder, begun at a packet that claims to be a key frame."""

    decoder: Decoder
    packet: int
    offset: int
    fed: int = 0
    shown: list[tuple[Mark | None, int]] = field(default_factory=list)
    judged: int = 0
    alike: list[Mark] = field(default_factory=list)
    last: int = -1


def packets_of(opened: Opened) -> Iterator[Packet[VideoStream]]:
    """The packets of the picture that have content."""
    return (packet for packet in _demuxed(opened, [opened.video]) if packet.size)


def _demuxed(opened: Opened, streams: list[Any]) -> Iterator[Packet[Any]]:
    """The packets of some streams; where the container is damaged, reading goes on behind."""
    errors = 0
    while True:
        try:
            for packet in opened.container.demux(*streams):
                errors = 0
                yield packet
            return
        except av.error.FFmpegError:
            opened.check()
            errors += 1
            if errors > _MOST_ERRORS:
                raise


def _note(ticks: list[Tick], packet: Packet[Any], place: int, number: int) -> None:
    time, base = packet.dts, packet.time_base
    if time is None or (packet.pts is not None and abs(packet.pts - time) * base > GAP_S):
        # FFmpeg counts decoding times on past a jump, until the container tells one.
        time = packet.pts
    if time is not None:
        shown = time if packet.pts is None else packet.pts
        ticks.append(Tick(place, number, time * base, shown * base, (packet.duration or 0) * base))


class Recording:
    """Decodes a source once, and records its packets.

    Attributes:
        shown: the frames, in display order.
        times: of each packet with content, its presentation time in ticks; None if the container
            does not say.
        last_end: when the last packet ends, in ticks, and the number of the last one with content;
            None if the container does not say.
        video_ticks: what the packets of the picture say of the time.
        sound_ticks: what those of the sound say.
        entries: where decoding can start.
        failed: how many packets could not be decoded.
        ends_early: whether the last packets show that the source was cut off.
        is_complete: whether the packets were recorded; some containers change what a decoder
            must know in a way that cannot be.
    """

    def __init__(
        self, opened: Opened, sound: AudioStream | None, look: Callable[[VideoFrame], None]
    ) -> None:
        """Prepares to read a source.

        Args:
            opened: it, at its start.
            sound: the stream that goes with the picture.
            look: is given every frame, in order.
        """
        self._opened = opened
        self._look = look
        self._context = opened.video.codec_context
        self._geometry: Any = None
        self._trials: list[_Trial] = []
        self._seen: dict[Mark, tuple[int, int]] = {}
        self._next_trial = 0
        self._failed_trials = 0
        self.shown: list[Shown] = []
        self._places = itertools.count()
        self._sound = sound
        self.video_ticks: list[Tick] = []
        self.sound_ticks: list[Tick] = []
        self.times: list[int | None] = []
        self.last_end: tuple[int, int] | None = None
        self.entries: list[Entry] = []
        self.failed = 0
        self.ends_early = False
        self.is_complete = True

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The packets of the picture that have content; the times of all are noted."""
        video = self._opened.video
        streams = [video] if self._sound is None else [video, self._sound]
        heard = 0
        for packet in _demuxed(self._opened, streams):
            place = next(self._places)
            if packet.stream_index == video.index:
                if packet.pts is not None:
                    end = packet.pts + (packet.duration or 0)
                    self.last_end = end, max(0, len(self.times) - 1)
                # An empty one says that the picture before stays.
                if packet.size:
                    _note(self.video_ticks, packet, place, len(self.times))
                    self.times.append(packet.pts)
                    yield packet
            elif packet.size:
                _note(self.sound_ticks, packet, place, heard)
                heard += 1

    def parts(self) -> Iterator[bytes]:
        """Decode the source; the parts of the object that holds the recorded packets.

        Raises:
            NoFrames: nothing could be decoded.
        """
        decoder = Decoder(self._context)
        offset = 0
        corrupt = False
        try:
            for number, packet in enumerate(self._packets()):
                corrupt = packet.is_corrupt
                self.is_complete = self.is_complete and can_record(packet)
                data = recorded(packet)
                self._begin_trial(packet, number, offset)
                self._take(decoder.decode(packet, number))
                self._go_on(packet, number)
                offset += len(data)
                yield data
        except av.error.FFmpegError:
            corrupt = True
        self._opened.check()
        self._take(decoder.finish())
        for trial in self._trials:
            self._show(trial, trial.decoder.finish())
            self._judge(trial, at_end=True)
        if not self.shown:
            raise NoFrames(f"{self._opened.name}: has no frames")
        self.failed = decoder.failed
        self.ends_early = corrupt or decoder.last_failed or self.shown[-1].damaged
        self.entries.sort(key=lambda entry: (entry.frame, entry.offset))
        yield table(self.entries, offset)

    def _take(self, frames: list[tuple[VideoFrame, Mark | None]]) -> None:
        for frame, mark in frames:
            self._look(frame)
            number = len(self.shown)
            if mark is not None and self._trials:
                self._seen[mark] = number, self._looks(frame)
                if len(self._seen) > _KEPT:
                    del self._seen[next(iter(self._seen))]
            self.shown.append(Shown(mark, frame.duration or 0, frame.is_corrupt))

    def _looks(self, frame: VideoFrame) -> int:
        """A digest of a frame as workers take it."""
        self._geometry = self._geometry or geometry_of(frame, (1, 1))
        digest = 0
        for plane in planes_of(to_i420(frame, self._geometry)):
            digest = zlib.crc32(plane.tobytes(), digest)
        return digest

    # ---- where decoding can start ----

    def _begin_trial(self, packet: Packet[VideoStream], number: int, offset: int) -> None:
        if number and packet.is_keyframe and number >= self._next_trial:
            self._trials.append(_Trial(Decoder(another(self._context)), number, offset))
            apart = min(_FARTHEST, 1 << self._failed_trials)
            self._next_trial = number + _ENTRY_FRAMES * apart

    def _go_on(self, packet: Packet[VideoStream], number: int) -> None:
        for trial in list(self._trials):
            trial.fed += 1
            self._show(trial, trial.decoder.decode(packet, number))
            if self._judge(trial) or trial.fed >= _TRIED_PACKETS:
                self._trials.remove(trial)
                self._failed_trials = 0 if trial.fed < _TRIED_PACKETS else self._failed_trials + 1
        if not self._trials:
            self._seen.clear()

    def _show(self, trial: _Trial, frames: list[tuple[VideoFrame, Mark | None]]) -> None:
        trial.shown += [(mark, self._looks(frame)) for frame, mark in frames]

    def _judge(self, trial: _Trial, *, at_end: bool = False) -> bool:
        """Whether a trial has shown enough frames as they should be; then it is an entry."""
        for mark, looks in itertools.islice(trial.shown, trial.judged, None):
            found = None if mark is None else self._seen.get(mark)
            if mark is not None and found is None and not at_end and mark[0] >= trial.packet:
                break  # the first decoder has not shown it yet
            trial.judged += 1
            if found is None or mark is None or found[1] != looks:
                trial.alike.clear()
            else:
                if trial.alike and found[0] != trial.last + 1:
                    trial.alike.clear()
                trial.alike.append(mark)
            trial.last = -1 if found is None else found[0]
        if len(trial.alike) < (1 if at_end else _ALIKE):
            return False
        first = trial.alike[0]
        self.entries.append(
            Entry(self._seen[first][0], trial.offset, first[0] - trial.packet, first[1])
        )
        return True


def times_of(
    recording: Recording, clock: Clock, time_base: Fraction, rate: Fraction
) -> tuple[list[int], int]:
    """When each frame is shown, and when the last one ends, in ticks.

    Frames without a time of their own follow the frame before at the frame rate; a source without
    any starts at 0. A container may tell the times in decoding order: the frames get them in
    their own order.

    Args:
        recording: of the source, complete.
        clock: of the picture.
        time_base: seconds of a tick.
        rate: frames a second.
    """
    step = 1 / (rate * time_base)

    def corrected(ticks: int, packet: int) -> Fraction:
        return ticks + clock.correction(packet) / time_base

    own: list[Fraction | None] = []
    for frame in recording.shown:
        packet, turn = frame.mark or (0, 1)
        ticks = recording.times[packet] if turn == 0 else None
        own.append(None if ticks is None else corrected(ticks, packet))
    in_order = iter(sorted(time for time in own if time is not None))
    times: list[Fraction] = []
    for one in own:
        follows = times[-1] + step if times else Fraction(0)
        time = follows if one is None else next(in_order)
        times.append(max(time, times[-1]) if times else time)
    # The durations of raw streams mean nothing: these have no times.
    known = recording.shown[-1].duration if own[-1] is not None else 0
    ends = [times[-1] + (known or max(1, round(step)))]
    if recording.last_end is not None:
        ends.append(corrected(*recording.last_end))
    return [round(time) for time in times], round(max(ends))


def counted(
    context: VideoCodecContext, packets: Iterator[Packet[Any]], entry: Entry | None
) -> Iterator[VideoFrame]:
    """Frames with their numbers in the source as timestamps.

    Args:
        context: of the stream.
        packets: those of the stream, from its start or from an entry on.
        entry: that entry.
    """
    decoder = Decoder(context)
    number = 0 if entry is None else -1
    arriving = (decoder.decode(packet, place) for place, packet in enumerate(packets))
    for frames in itertools.chain(arriving, map(Decoder.finish, [decoder])):
        for frame, mark in frames:
            if entry is not None and mark == (entry.packets, entry.turn):
                number = entry.frame
            if number >= 0:
                frame.pts = number
                number += 1
                yield frame
