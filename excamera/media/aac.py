"""AAC for MP4: FFmpeg's encoder, and what the configuration of a source's AAC says."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from excamera.media.adts import Unwrapper, split
from excamera.media.container.webm import AUDIO_TRACK, AudioTrack, Block
from excamera.media.opus import RATE, Samples
from excamera.media.sound import Sound
from excamera.media.source.clock import Clock

FRAME_SAMPLES = 1024

_BIT_RATE_PER_CHANNEL = 96_000
_DELAY = 1024  # samples that FFmpeg's encoder puts before the first one
_LOW_COMPLEXITY = 2
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_EXPLICIT = 15
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)


class AacEncoder:
    """FFmpeg's AAC encoder, fed with any number of samples at a time.

    It has one thread: its decisions depend on all sound before them, because its rate is constant.

    Args:
        layout: one of `excamera.media.layouts.AAC`.

    Attributes:
        channels: number of channels.
        head: the track's AudioSpecificConfig.
        delay: samples that a decoder drops at the start.
        total: samples added so far.
    """

    def __init__(self, layout: str) -> None:
        context = AudioCodecContext.create("aac", "w")
        context.sample_rate = RATE
        context.layout = layout
        context.format = "fltp"
        context.time_base = Fraction(1, RATE)
        self.channels = len(context.layout.channels)
        context.bit_rate = _BIT_RATE_PER_CHANNEL * self.channels
        context.options = {"threads": "1"}
        context.open()
        self.head = context.extradata or b""
        self.delay = _DELAY
        self.total = 0
        self._layout = layout
        self._context = context
        self._held = np.zeros((0, self.channels), np.float32)
        self._sent = 0
        self._packets: list[bytes] = []

    def add(self, samples: Samples) -> None:
        """Encode more sound."""
        self.total += len(samples)
        held = np.concatenate([self._held, samples])
        whole = len(held) // FRAME_SAMPLES * FRAME_SAMPLES
        for frame in held[:whole].reshape(-1, FRAME_SAMPLES, self.channels):
            self._send(frame)
        self._held = held[whole:]

    def finish(self) -> list[bytes]:
        """All packets; together they hold every sample after the decoder's start-up."""
        if len(self._held):
            rest = np.zeros((FRAME_SAMPLES, self.channels), np.float32)
            rest[: len(self._held)] = self._held
            self._send(rest)
        self._packets += [bytes(packet) for packet in self._context.encode(None)]
        # The encoder may write one packet more than anybody hears.
        return self._packets[: -(-(self.total + self.delay) // FRAME_SAMPLES)]

    def _send(self, samples: Samples) -> None:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", self._layout)
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._sent
        self._sent += FRAME_SAMPLES
        self._packets += [bytes(packet) for packet in self._context.encode(frame)]


@dataclass(frozen=True, slots=True)
class PlainAac:
    """AAC that every player knows: low complexity, and 1024 samples a packet."""

    rate: int
    channels: int


def plain_aac(configuration: bytes) -> PlainAac | None:
    """What an AudioSpecificConfig (ISO/IEC 14496-3) says; None if it is of another kind of AAC."""
    bits = int.from_bytes(configuration[:8].ljust(8, b"\0"), "big")
    left = 64

    def take(count: int) -> int:
        nonlocal left
        left -= count
        return bits >> left & (1 << count) - 1

    kind, index = take(5), take(4)
    rate = take(24) if index == _EXPLICIT else _RATES[index] if index < len(_RATES) else 0
    channels = take(4)
    is_short = take(1)  # 960 samples a packet
    known = kind == _LOW_COMPLEXITY and rate and 0 < channels < len(_CHANNELS) and not is_short
    return PlainAac(rate, _CHANNELS[channels]) if known else None


def copied_aac(
    arriving: Iterable[Packet[AudioStream]], audio: AudioStream, origin_s: Fraction, clock: Clock
) -> Sound | None:
    """A source's own packets; None if they are not plain AAC without gaps.

    Packets of broadcasts, which have headers of their own, lose these; if one is damaged, none is
    copied.

    Args:
        arriving: all packets of the stream that have content.
        audio: the stream.
        origin_s: source time that is 0 in the result, in seconds.
        clock: of the stream.
    """
    context = audio.codec_context
    arriving = iter(arriving)
    opening = next(arriving, None)
    if opening is None:
        return None
    head = context.extradata or b""
    wrapped = None if head else split(bytes(opening))
    unwrapper = None if wrapped is None else Unwrapper(wrapped[0])
    if unwrapper is not None:
        head = unwrapper.header.configuration
    plain = plain_aac(head) if context.name == "aac" and context.profile == "LC" else None
    if plain is None or plain.rate != context.sample_rate:
        return None
    tick = (audio.time_base or Fraction(1, plain.rate)) * plain.rate
    # A broadcast's clock is finer than a packet is long, so a lost one shows.
    tolerance = plain.rate // 25 if unwrapper is None else FRAME_SAMPLES // 2
    packets: list[bytes] = []
    first = skipped = surplus = 0
    for number, packet in enumerate(itertools.chain([opening], arriving)):
        block = bytes(packet) if unwrapper is None else unwrapper.block(packet)
        if packet.pts is None or block is None:
            return None
        at = round(packet.pts * tick + (clock.correction(number) - origin_s) * plain.rate)
        first = at if not packets else first
        # Containers round; but a track of MP4 goes on without gaps.
        if abs(first + FRAME_SAMPLES * len(packets) - at) > tolerance:
            return None
        # All but the last packet are whole.
        surplus = max(0, FRAME_SAMPLES - round(packet.duration * tick)) if packet.duration else 0
        surplus = surplus if surplus > plain.rate // 500 else 0  # less is a container's rounding
        if packet.has_sidedata("skip_samples"):
            data = bytes(memoryview(packet.get_sidedata("skip_samples")))
            skipped += int.from_bytes(data[:4], "little")
            surplus = max(surplus, int.from_bytes(data[4:8], "little"))
        packets.append(block)
    delay = max(skipped, -first, 0)
    samples = FRAME_SAMPLES * len(packets) - delay - surplus
    if samples <= 0:
        return None
    # What nobody hears goes, but for what a decoder starts with.
    silent = max(0, delay // FRAME_SAMPLES - 2)
    first += FRAME_SAMPLES * silent
    delay -= FRAME_SAMPLES * silent
    return aac_sound(
        packets[silent:], head, plain.channels, plain.rate, first, delay, samples, copied=True
    )


def aac_sound(
    packets: list[bytes],
    head: bytes,
    channels: int,
    rate: int,
    first: int,
    delay: int,
    samples: int,
    **more: Any,
) -> Sound:
    """The track of some packets.

    Args:
        packets: in order, without gaps.
        head: the AudioSpecificConfig.
        channels: number of channels.
        rate: samples of a second.
        first: where the first packet begins on the film's clock, in samples.
        delay: samples that a decoder must drop at the start.
        samples: how many are heard.
        more: other attributes of `Sound`.
    """
    blocks = [
        Block(AUDIO_TRACK, (first + number * FRAME_SAMPLES) * 1000 // rate, data, key=True)
        for number, data in enumerate(packets)
    ]
    track = AudioTrack(channels, head, delay * 1_000_000_000 // rate)
    return Sound(track, blocks, rate=rate, first=first, samples=samples, **more)
