"""Sound: the whole track as Opus, copied if it is Opus already, else encoded once.

Timestamps are kept: gaps become silence, overlaps and sound before time 0 are dropped.
A WebM block's timestamp counts the decoder's start-up samples (CodecDelay) in, so the
first block of a track that starts at 0 has timestamp 0 and plays from -CodecDelay.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from excamera.media.container.webm import AUDIO_TRACK, AudioTrack, Block
from excamera.media.layouts import Layouts, channels_of, mixing, result_layout, take_layout
from excamera.media.source.clock import Clock
from excamera.media.source.media import demux_past_damage, open_container

RATE = 48_000
FRAME_SAMPLES = 960  # 20 ms
_TOLERANCE = RATE // 25  # timestamps may jitter by 40 ms before sound is moved
_LONG = RATE // 5  # so much may be missing at the start or the end without damage
_BIT_RATE_PER_CHANNEL = 64_000
# FFmpeg's encoder mixes up three channels of these: which one to give it in the place of each.
_IN_PLACE_OF = {"5.0": [0, 1, 4, 2, 3], "6.1": [0, 1, 4, 3, 5, 2, 6]}

Samples = NDArray[np.float32]
"""Interleaved samples, float32, shape (count, channels)."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A whole Opus track: its header fields, and its blocks in time order.

    Attributes:
        track: the header fields.
        blocks: in order.
        copied: whether they are the source's own.
        skipped_packets: packets of the source that could not be decoded.
        note: what a user should know of the channels, or "".
    """

    track: AudioTrack
    blocks: list[Block]
    copied: bool
    skipped_packets: int = 0
    note: str = ""

    @property
    def end_ms(self) -> float:
        """The end of the last sample by the blocks' clock, less the start-up samples."""
        last = self.blocks[-1]
        return last.time_ms + 20 - (last.discard_ns + self.track.delay_ns) / 1e6


def audio_stream(container: InputContainer, encrypted: Collection[int] = ()) -> AudioStream | None:
    """The stream to keep: the default one, else the first; None if there is none.

    Args:
        container: of the source.
        encrypted: indices of streams that cannot be read.
    """
    streams = [
        one
        for one in container.streams.audio
        if one.codec_context is not None and one.index not in encrypted
    ]
    default = [s for s in streams if s.disposition & s.disposition.default]
    chosen = default or streams
    return chosen[0] if chosen else None


def read_sound(
    source: str | BinaryIO, name: str, stream: int, origin_s: Fraction, clock: Clock
) -> Sound | None:
    """Read one audio stream as Opus.

    Args:
        source: path, URL or binary file.
        name: its name in messages.
        stream: index of the audio stream.
        origin_s: source time that is 0 in the result, in seconds.
        clock: of the stream.

    Returns:
        The track, or None if the stream holds no sound at all.

    Raises:
        SourceUnavailable: it could not be read.
    """
    layouts = Layouts()
    while True:
        with open_container(source, name) as (container, _):
            audio = cast(AudioStream, container.streams[stream])
            head = audio.codec_context.extradata or b""
            if audio.codec_context.name in ("opus", "libopus") and head.startswith(b"OpusHead"):
                return _copy(container, audio, head, origin_s, clock)
            # What comes later may need more channels: then it starts again.
            with contextlib.suppress(_OtherLayout):
                return _transcode(container, audio, origin_s, clock, layouts)


def _copy(
    container: InputContainer, audio: AudioStream, head: bytes, origin_s: Fraction, clock: Clock
) -> Sound | None:
    time_base = audio.time_base or Fraction(1, RATE)
    delay = int.from_bytes(head[10:12], "little")
    blocks = []
    for number, packet in enumerate(_packets(container, audio)):
        if packet.pts is None:
            continue
        time_s = packet.pts * time_base + clock.correction(number) - origin_s
        time_s += Fraction(delay, RATE)
        time_ms = math.floor(time_s * 1000 + Fraction(1, 2))
        if time_ms < 0:
            continue
        discard = 0
        if packet.has_sidedata("skip_samples"):
            data = bytes(memoryview(packet.get_sidedata("skip_samples")))
            discard = int.from_bytes(data[4:8], "little")
        blocks.append(
            Block(AUDIO_TRACK, time_ms, bytes(packet), key=True, discard_ns=_nanoseconds(discard))
        )
    if not blocks:
        return None
    return Sound(AudioTrack(head[9], head, _nanoseconds(delay)), blocks, copied=True)


def _nanoseconds(samples: int) -> int:
    return samples * 1_000_000_000 // RATE


class _OtherLayout(Exception):
    """The result needs another layout than was thought."""


class _Decoder:
    """Decodes and resamples a stream into pieces of (time in samples, samples)."""

    def __init__(
        self,
        container: InputContainer,
        audio: AudioStream,
        origin_s: Fraction,
        clock: Clock,
        layouts: Layouts,
    ) -> None:
        self._clock = clock
        self._correction_s = Fraction(0)
        self._container = container
        self._audio = audio
        self._origin_s = origin_s
        self._layouts = layouts
        self.stated = take_layout(audio.codec_context)
        self._mixing = np.zeros((0, 0), np.float32)
        self.skipped_packets = 0
        self.begin: int | None = None
        self.end = 0
        """Where the first packet begins and the last one ends, decoded or not."""

    def pieces(self) -> Iterator[tuple[int | None, Samples]]:
        """Pieces, each with the sample number at which it starts; None if it continues the last.

        Raises:
            _OtherLayout: the layout of the result is now another.
        """
        resampler = av.AudioResampler(format="flt", rate=RATE)
        shape: tuple[object, ...] | None = None
        for frame in self._decoded():
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != shape:  # the format changes in the middle of the stream
                if shape is not None:
                    yield from self._resampled(resampler, None, None)
                resampler = av.AudioResampler(format="flt", rate=RATE)
                self._take_layout(frame.layout, is_first=shape is None)
            shape = now
            start = None
            if frame.pts is not None and frame.time_base is not None:
                time_s = frame.pts * frame.time_base + self._correction_s
                start = round((time_s - self._origin_s) * RATE)
            yield from self._resampled(resampler, frame, start)
        if shape is not None:
            yield from self._resampled(resampler, None, None)

    def _take_layout(self, layout: AudioLayout, *, is_first: bool) -> None:
        channels = channels_of(layout)
        if len(channels) == len(self.stated) and layout.name == f"{len(channels)} channels":
            channels = self.stated
        if self._layouts.is_new(channels, layout.name) and not is_first:
            raise _OtherLayout
        self._mixing = mixing(channels, self._layouts.layout)

    def _resampled(
        self, resampler: av.AudioResampler, frame: AudioFrame | None, start: int | None
    ) -> Iterator[tuple[int | None, Samples]]:
        if frame is not None:
            frame.pts = None  # gaps are filled here, not by the resampler
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray().reshape(-1, len(self._mixing))
            yield start, samples.astype(np.float32) @ self._mixing
            start = None

    def _decoded(self) -> Iterator[AudioFrame]:
        context = self._audio.codec_context
        for number, packet in enumerate(_packets(self._container, self._audio)):
            self._correction_s = self._clock.correction(number)
            self._extend(packet)
            try:
                yield from context.decode(packet)
            except av.error.FFmpegError:  # whatever the decoder says of a damaged packet
                self.skipped_packets += 1
        with contextlib.suppress(av.error.FFmpegError):
            yield from context.decode(None)

    def _extend(self, packet: Packet[AudioStream]) -> None:
        if packet.pts is not None:
            time_s = packet.pts * packet.time_base + self._correction_s - self._origin_s
            start = max(0, round(time_s * RATE))
            end = start + round((packet.duration or 0) * packet.time_base * RATE)
            self.begin = start if self.begin is None else min(start, self.begin)
            self.end = max(end, self.end)


def _packets(container: InputContainer, audio: AudioStream) -> Iterator[Packet[AudioStream]]:
    """The packets that have content, as `excamera.media.source.recording` counts them."""
    # Sound that ends in damage ends there.
    with contextlib.suppress(av.error.FFmpegError):
        yield from (one for one in demux_past_damage(container, audio) if one.size)


def _transcode(
    container: InputContainer,
    audio: AudioStream,
    origin_s: Fraction,
    clock: Clock,
    layouts: Layouts,
) -> Sound | None:
    decoder = _Decoder(container, audio, origin_s, clock, layouts)
    encoder: _OpusEncoder | None = None
    first = position = 0
    for start, piece in decoder.pieces():
        if encoder is None:
            encoder = _OpusEncoder(layouts.layout)
            first = max(0, start or 0)
            if decoder.begin is not None and first - decoder.begin > _LONG:
                first = decoder.begin
            position = first
        samples = piece
        if start is not None and abs(start - position) > (0 if position == first else _TOLERANCE):
            if start > position:
                silence = np.zeros((start - position, piece.shape[1]), np.float32)
                samples = np.concatenate([silence, piece])
            else:
                samples = piece[position - start :]
        encoder.add(samples)
        position += len(samples)
    if encoder is None:
        encoder = _OpusEncoder(result_layout([decoder.stated]))
        first = position = decoder.begin or 0
    # What could not be decoded at the end is silent, as it is elsewhere.
    if decoder.end - position > _LONG:
        encoder.add(np.zeros((decoder.end - position, encoder.channels), np.float32))
        position = decoder.end
    if position == first:
        return None
    packets = encoder.finish()
    blocks = [
        Block(AUDIO_TRACK, _block_ms(first, number), data, key=True)
        for number, data in enumerate(packets)
    ]
    surplus = len(packets) * FRAME_SAMPLES - encoder.delay - encoder.total
    last = blocks.pop()
    blocks.append(
        Block(AUDIO_TRACK, last.time_ms, last.data, key=True, discard_ns=_nanoseconds(surplus))
    )
    track = AudioTrack(encoder.channels, encoder.head, _nanoseconds(encoder.delay))
    note = "; ".join(layouts.notes())
    return Sound(track, blocks, False, decoder.skipped_packets, note)


def _block_ms(first: int, number: int) -> int:
    return ((first + number * FRAME_SAMPLES) * 1000 + RATE // 2) // RATE


class _OpusEncoder:
    """libopus, fed with any number of samples at a time."""

    def __init__(self, layout: str) -> None:
        context = av.CodecContext.create("libopus", "w")
        context.sample_rate = RATE
        context.layout = layout
        context.format = "flt"
        context.time_base = Fraction(1, RATE)
        self.channels = len(context.layout.channels)
        context.bit_rate = _BIT_RATE_PER_CHANNEL * self.channels
        context.options = {"application": "audio", "frame_duration": "20"}
        context.open()
        self.head = context.extradata or b""
        self.delay = int.from_bytes(self.head[10:12], "little")
        self.total = 0
        self._layout = layout
        self._order = _IN_PLACE_OF.get(layout, list(range(self.channels)))
        self._context = context
        self._held: list[Samples] = []
        self._held_count = 0
        self._sent = 0
        self._packets: list[bytes] = []

    def add(self, samples: Samples) -> None:
        """Encode more sound."""
        self.total += len(samples)
        self._push(samples)

    def finish(self) -> list[bytes]:
        """All packets; together they hold every sample after the decoder's start-up."""
        wanted = -(-(self.total + self.delay) // FRAME_SAMPLES)
        missing = wanted * FRAME_SAMPLES - self.total
        self._push(np.zeros((missing, self.channels), np.float32))
        self._packets.extend(bytes(packet) for packet in self._context.encode(None))
        return self._packets[:wanted]

    def _push(self, samples: Samples) -> None:
        self._held.append(samples)
        self._held_count += len(samples)
        if self._held_count < FRAME_SAMPLES:
            return
        joined = np.concatenate(self._held)
        whole = len(joined) // FRAME_SAMPLES * FRAME_SAMPLES
        for at in range(0, whole, FRAME_SAMPLES):
            self._encode(joined[at : at + FRAME_SAMPLES])
        self._held = [joined[whole:]]
        self._held_count = len(joined) - whole

    def _encode(self, samples: Samples) -> None:
        flat = np.ascontiguousarray(samples[:, self._order]).reshape(1, -1)
        frame = AudioFrame.from_ndarray(flat, format="flt", layout=self._layout)
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = self._sent
        self._sent += FRAME_SAMPLES
        self._packets.extend(bytes(packet) for packet in self._context.encode(frame))
