"""Sound: the whole track as Opus or AAC, copied if it is that already, else encoded once.

Timestamps are kept: gaps become silence, overlaps and sound before time 0 are dropped.
A WebM block's timestamp counts the decoder's start-up samples (CodecDelay) in, so the
first block of a track that starts at 0 has timestamp 0 and plays from -CodecDelay.
In MP4 packets have no timestamps: a track of AAC is a first sample, and 1024 from packet to packet.
Blocks then have the time of their first sample, which is before 0 if a decoder has to start up.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, BinaryIO, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from excamera.media.aac import AacEncoder, aac_sound, copied_aac
from excamera.media.container.webm import AUDIO_TRACK, AudioTrack, Block
from excamera.media.copied import OpusPacket, copied, nanoseconds, nearest, pre_skip
from excamera.media.layouts import (
    AAC,
    OPUS,
    Layouts,
    channels_of,
    mixing,
    result_layout,
    take_layout,
)
from excamera.media.opus import FRAME_SAMPLES, RATE, OpusEncoder, Samples
from excamera.media.sound import Sound
from excamera.media.source.clock import Clock
from excamera.media.source.media import demux_past_damage, open_container

_TOLERANCE = RATE // 25  # timestamps may jitter by 40 ms before sound is moved
_LONG = RATE // 5  # so much may be missing at the start or the end without damage
_BACK_S = 2
"""Reading begins so many seconds before a trim: decoders need what came before."""
_ENOUGH_S = 1
"""At least so many, else it begins at the start."""
_SOUGHT = frozenset({"mov", "mp4", "matroska", "webm"})
"""Containers in which a time is found again."""


def read_sound(
    source: str | BinaryIO,
    name: str,
    stream: int,
    origin_s: Fraction,
    clock: Clock,
    threads: int | None = None,
    codec: str = "opus",
    *,
    trimmed: bool = False,
    end_s: Fraction | None = None,
) -> Sound | None:
    """Read one audio stream as Opus or AAC.

    Args:
        source: path, URL or binary file.
        name: its name in messages.
        stream: index of the audio stream.
        origin_s: source time that is 0 in the result, in seconds.
        clock: of the stream.
        threads: how many encode Opus at a time; None for one on each CPU.
        codec: "opus" or "aac".
        trimmed: whether the result begins in the middle of the sound, exactly at its time 0.
        end_s: where the sound ends in the result, in seconds; None for its own end.

    Returns:
        The track, or None if the stream holds no sound at all.

    Raises:
        SourceUnavailable: it could not be read.
    """
    layouts = Layouts(AAC if codec == "aac" else OPUS)
    end = None if end_s is None else nearest(end_s * RATE)
    if codec == "aac" and not trimmed and end is None:
        with open_container(source, name) as (container, _):
            audio = cast(AudioStream, container.streams[stream])
            track = copied_aac(_packets(container, audio), audio, origin_s, clock)
            if track is not None:
                return track
    seeking = trimmed and origin_s > _BACK_S and not clock.pieces
    while True:
        with open_container(source, name) as (container, _):
            audio = cast(AudioStream, container.streams[stream])
            if seeking and not _sought(container, audio, origin_s):
                seeking = False
                continue
            head = audio.codec_context.extradata or b""
            is_opus = audio.codec_context.name in ("opus", "libopus")
            if codec == "opus" and is_opus and head.startswith(b"OpusHead"):
                return _copy(container, audio, head, origin_s, clock, trimmed, end)
            # What comes later may need more channels: then it starts again.
            with contextlib.suppress(_OtherLayout):
                return _transcode(container, audio, origin_s, clock, layouts, threads, end)


def _sought(container: InputContainer, audio: AudioStream, origin_s: Fraction) -> bool:
    """Go to a place a little before a time; whether that is certainly early enough."""
    formats = set(container.format.name.split(","))
    if not _SOUGHT & formats or audio.time_base is None:
        return False
    # Matroska has an index of the picture, MP4 one of each stream.
    stream = None if "matroska" in formats else audio
    tick = Fraction(1, av.time_base) if stream is None else audio.time_base
    target = int((origin_s - _BACK_S) / tick)
    try:
        container.seek(target, stream=stream)
        found = next(_packets(container, audio), None)
        latest = (origin_s - _ENOUGH_S) / audio.time_base
        if found is None or found.pts is None or found.pts > latest:
            return False
        container.seek(target, stream=stream)
    except av.error.FFmpegError:
        return False
    return True


def _copy(
    container: InputContainer,
    audio: AudioStream,
    head: bytes,
    origin_s: Fraction,
    clock: Clock,
    trimmed: bool,
    end: int | None,
) -> Sound | None:
    time_base = audio.time_base or Fraction(1, RATE)
    found: list[OpusPacket] = []
    for number, packet in enumerate(_packets(container, audio)):
        if packet.pts is None:
            continue
        time_s = packet.pts * time_base + clock.correction(number) - origin_s
        if end is not None and time_s * RATE >= end:
            break
        discard = 0
        if packet.has_sidedata("skip_samples"):
            data = bytes(memoryview(packet.get_sidedata("skip_samples")))
            discard = int.from_bytes(data[4:8], "little")
        length = nearest((packet.duration or 0) * time_base * RATE)
        found.append(OpusPacket(time_s, length, discard, bytes(packet)))
    head, blocks = copied(head, found, trimmed=trimmed, end=end)
    if not blocks:
        return None
    delay = pre_skip(head)
    return Sound(AudioTrack(head[9], head, nanoseconds(delay)), blocks, copied=True)


class _OtherLayout(Exception):
    """The result needs another layout than was thought."""


class _Ruler:
    """Times of a stream as numbers of samples, in whole numbers: packets come by the million."""

    def __init__(self, time_base: Fraction, shift_s: Fraction) -> None:
        tick, shift = time_base * RATE, shift_s * RATE
        self.time_base, self.shift_s = time_base, shift_s
        self._whole = math.lcm(tick.denominator, shift.denominator)
        self._tick, self._shift = int(tick * self._whole), int(shift * self._whole)

    def at(self, ticks: int) -> int:
        """The sample nearest to a time."""
        return self._rounded(ticks * self._tick + self._shift)

    def long(self, ticks: int) -> int:
        """How many samples a duration has."""
        return self._rounded(ticks * self._tick)

    def _rounded(self, parts: int) -> int:
        number, rest = divmod(parts, self._whole)
        return number + (2 * rest > self._whole or (2 * rest == self._whole and number % 2))


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
        self._shift_s = -origin_s
        self._container = container
        self._audio = audio
        self._origin_s = origin_s
        self._layouts = layouts
        self.stated = take_layout(audio.codec_context)
        self._mixing: Samples | None = None
        self._channels = 0
        self._ruler = _Ruler(Fraction(1, RATE), -origin_s)
        self.skipped_packets = 0
        self.begin: int | None = None
        self.end = 0
        """Where the first packet begins and the last one ends, decoded or not."""

    def pieces(self) -> Iterator[tuple[int | None, Samples]]:
        """Pieces, each with the sample number at which it starts; None if it continues the last.

        Raises:
            _OtherLayout: the layout of the result is now another.
        """
        resampler: av.AudioResampler | None = None
        shape: tuple[object, ...] | None = None
        for frame in self._decoded():
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != shape:  # the format changes in the middle of the stream
                if shape is not None:
                    yield from self._resampled(resampler, None, None)
                fits = frame.format.name == "fltp" and frame.sample_rate == RATE
                resampler = None if fits else av.AudioResampler(format="flt", rate=RATE)
                self._take_layout(frame.layout, is_first=shape is None)
            shape = now
            start = None
            if frame.pts is not None and frame.time_base is not None:
                start = self._ruler_of(frame.time_base).at(frame.pts)
            yield from self._resampled(resampler, frame, start)
        if shape is not None:
            yield from self._resampled(resampler, None, None)

    def _take_layout(self, layout: AudioLayout, *, is_first: bool) -> None:
        channels = channels_of(layout)
        if len(channels) == len(self.stated) and layout.name == f"{len(channels)} channels":
            channels = self.stated
        if self._layouts.is_new(channels, layout.name) and not is_first:
            raise _OtherLayout
        matrix = mixing(channels, self._layouts.layout)
        self._channels = len(matrix)
        changes = matrix.shape[0] != matrix.shape[1] or bool((matrix != np.eye(len(matrix))).any())
        self._mixing = matrix if changes else None

    def _resampled(
        self, resampler: av.AudioResampler | None, frame: AudioFrame | None, start: int | None
    ) -> Iterator[tuple[int | None, Samples]]:
        found: list[Samples]
        if resampler is None:
            found = [] if frame is None else [_interleaved(frame.to_ndarray().T)]
        else:
            if frame is not None:
                frame.pts = None  # gaps are filled here, not by the resampler
            pieces = resampler.resample(frame)
            found = [_interleaved(one.to_ndarray().reshape(-1, self._channels)) for one in pieces]
        for samples in found:
            yield start, samples if self._mixing is None else samples @ self._mixing
            start = None

    def _decoded(self) -> Iterator[AudioFrame]:
        context = self._audio.codec_context
        last = Fraction(0)
        for number, packet in enumerate(_packets(self._container, self._audio)):
            correction_s = self._clock.correction(number)
            if correction_s != last:
                self._shift_s, last = correction_s - self._origin_s, correction_s
            self._extend(packet)
            try:
                yield from context.decode(packet)
            except av.error.FFmpegError:  # whatever the decoder says of a damaged packet
                self.skipped_packets += 1
        with contextlib.suppress(av.error.FFmpegError):
            yield from context.decode(None)

    def _extend(self, packet: Packet[AudioStream]) -> None:
        if packet.pts is not None:
            ruler = self._ruler_of(packet.time_base)
            start = max(0, ruler.at(packet.pts))
            end = start + ruler.long(packet.duration or 0)
            self.begin = start if self.begin is None else min(start, self.begin)
            self.end = max(end, self.end)

    def _ruler_of(self, time_base: Fraction) -> _Ruler:
        shift_s = self._shift_s
        if self._ruler.time_base != time_base or self._ruler.shift_s != shift_s:
            self._ruler = _Ruler(time_base, shift_s)
        return self._ruler


def _interleaved(samples: NDArray[Any]) -> Samples:
    return np.ascontiguousarray(samples, np.float32)


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
    threads: int | None,
    end: int | None,
) -> Sound | None:
    decoder = _Decoder(container, audio, origin_s, clock, layouts)
    with contextlib.ExitStack() as stack:
        encoder: OpusEncoder | AacEncoder | None = None
        first = position = 0
        due: int | None = None
        for start, piece in decoder.pieces():
            if encoder is None:
                encoder = _encoder(stack, layouts, layouts.layout, threads)
                first = max(0, start or 0)
                if decoder.begin is not None and first - decoder.begin > _LONG:
                    first = decoder.begin
                position = first
            samples = piece
            if start is None and position == first:
                start = due  # what is before the first sample may be in several pieces
            due = None if start is None else start + len(piece)
            tolerance = 0 if position == first else _TOLERANCE
            if start is not None and abs(start - position) > tolerance:
                if start > position:
                    silence = np.zeros((start - position, piece.shape[1]), np.float32)
                    samples = np.concatenate([silence, piece])
                else:
                    samples = piece[position - start :]
            if end is not None:
                samples = samples[: max(0, end - position)]
            encoder.add(samples)
            position += len(samples)
            if end is not None and position >= end:
                break
        if encoder is None:
            layout = result_layout([decoder.stated], layouts.family)
            encoder = _encoder(stack, layouts, layout, threads)
            first = position = decoder.begin or 0
        # What could not be decoded at the end is silent, as it is elsewhere.
        until = decoder.end if end is None else min(decoder.end, end)
        if until - position > _LONG:
            encoder.add(np.zeros((until - position, encoder.channels), np.float32))
            position = until
        if position == first:
            return None
        packets = encoder.finish()
    note = "; ".join(layouts.notes())
    if isinstance(encoder, AacEncoder):
        return aac_sound(
            packets, encoder.head, encoder.channels, RATE, first - encoder.delay, encoder.delay,
            encoder.total, copied=False, skipped_packets=decoder.skipped_packets, note=note
        )  # fmt: skip
    return _sound(encoder, packets, first, decoder.skipped_packets, note)


def _encoder(
    stack: contextlib.ExitStack, layouts: Layouts, layout: str, threads: int | None
) -> OpusEncoder | AacEncoder:
    if layouts.family is AAC:
        return AacEncoder(layout)
    return stack.enter_context(OpusEncoder(layout, threads))


def _sound(
    encoder: OpusEncoder, packets: list[bytes], first: int, skipped: int, note: str
) -> Sound:
    """The track of an encoder's packets, whose first sample is number `first`."""
    blocks = [
        Block(AUDIO_TRACK, _block_ms(first, number), data, key=True)
        for number, data in enumerate(packets)
    ]
    surplus = len(packets) * FRAME_SAMPLES - encoder.delay - encoder.total
    blocks[-1] = replace(blocks[-1], discard_ns=nanoseconds(surplus))
    track = AudioTrack(encoder.channels, encoder.head, nanoseconds(encoder.delay))
    return Sound(track, blocks, False, skipped, note)


def _block_ms(first: int, number: int) -> int:
    return ((first + number * FRAME_SAMPLES) * 1000 + RATE // 2) // RATE
