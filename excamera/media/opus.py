"""libopus over a whole track: a minute of it on each CPU, joined where no one can tell.

What an encoder does with a frame depends on the sound before it, ever less the longer ago that is.
So the encoder of one minute goes on into the next until it has written the same packets as the
encoder of that one for a second. From there on the other's packets follow. A decoder predicts the
energy of a band by half of what it was a frame ago, so after that second its state is that of a
decoder that has heard the second minute's packets only: a joint cannot be heard (ADR 39).

The cut depends on the sound alone, so one CPU and many write the same bytes.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from types import TracebackType
from typing import Self

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from mu.machine import available_cpus

RATE = 48_000
FRAME_SAMPLES = 960  # 20 ms
PIECE_FRAMES = 3000
"""Frames of a piece, a minute: an encoder's run into the next costs 2% of a piece of stereo."""

SAME_FRAMES = 50
"""How many packets in a row must be the same before one encoder takes over from another."""

_BIT_RATE_PER_CHANNEL = 64_000
# Without libopus's analysis of tones, which remembers minutes and takes a third of the time.
_COMPLEXITY = 6
# FFmpeg's encoder mixes up three channels of these: which one to give it in the place of each.
_IN_PLACE_OF = {"5.0": [0, 1, 4, 2, 3], "6.1": [0, 1, 4, 3, 5, 2, 6]}

Samples = NDArray[np.float32]
"""Interleaved samples, float32, shape (count, channels)."""


class _Encoder:
    """One libopus encoder, which makes a packet of each frame."""

    def __init__(self, layout: str) -> None:
        context = AudioCodecContext.create("libopus", "w")
        context.sample_rate = RATE
        context.layout = layout
        context.format = "flt"
        context.time_base = Fraction(1, RATE)
        self.channels = len(context.layout.channels)
        context.bit_rate = _BIT_RATE_PER_CHANNEL * self.channels
        context.options = {
            "application": "audio",
            "frame_duration": "20",
            "compression_level": str(_COMPLEXITY),
        }
        context.open()
        self.head = context.extradata or b""
        self._layout = layout
        self._order = _IN_PLACE_OF.get(layout)
        self._context = context
        self._sent = 0

    def encode(self, samples: Samples) -> bytes:
        """The packet of the next frame, `FRAME_SAMPLES` samples."""
        if self._order is not None:
            samples = np.ascontiguousarray(samples[:, self._order])
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), "flt", self._layout)
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = self._sent
        self._sent += FRAME_SAMPLES
        (packet,) = self._context.encode(frame)
        return bytes(packet)


Written = tuple[list[bytes], _Encoder]
"""The packets of a piece of the track, and the encoder that wrote the last of them."""


def _encode_piece(samples: Samples, own: _Encoder, before: Future[Written] | None) -> Written:
    """Encode a piece of the track.

    Args:
        samples: of whole frames.
        own: an encoder that knows nothing of the sound before them.
        before: the piece before; None if there is none.
    """
    frames = samples.reshape(-1, FRAME_SAMPLES, own.channels)
    packets = [own.encode(frame) for frame in frames]
    if before is None:
        return packets, own
    _, other = before.result()
    same = 0
    for number, frame in enumerate(frames):
        packet = other.encode(frame)
        same = same + 1 if packet == packets[number] else 0
        if same == SAME_FRAMES:
            return packets, own
        packets[number] = packet
    return packets, other


class OpusEncoder:
    """libopus on several threads, fed with any number of samples at a time.

    A context manager: it ends its threads. `add` waits while all of them are busy, so that
    memory holds a few pieces of a track only.

    Args:
        layout: one of `excamera.media.layouts.OPUS_LAYOUTS`.
        threads: how many encode at a time; None for one on each CPU.

    Attributes:
        channels: number of channels.
        head: the track's OpusHead.
        delay: samples that a decoder drops at the start.
        total: samples added so far.
    """

    def __init__(self, layout: str, threads: int | None = None) -> None:
        first = _Encoder(layout)
        self.channels = first.channels
        self.head = first.head
        self.delay = int.from_bytes(self.head[10:12], "little")
        self.total = 0
        self._layout = layout
        self._threads = threads or available_cpus()
        self._pool = ThreadPoolExecutor(self._threads, "opus")
        self._held: list[Samples] = []
        self._held_count = 0
        self._pieces: deque[Future[Written]] = deque()
        self._last: Future[Written] | None = None
        self._packets: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, samples: Samples) -> None:
        """Encode more sound."""
        self.total += len(samples)
        self._push(samples)

    def finish(self) -> list[bytes]:
        """All packets; together they hold every sample after the decoder's start-up."""
        wanted = -(-(self.total + self.delay) // FRAME_SAMPLES)
        missing = wanted * FRAME_SAMPLES - self.total
        self._push(np.zeros((missing, self.channels), np.float32))
        if self._held_count:
            self._submit(np.concatenate(self._held))
        while self._pieces:
            self._collect()
        return self._packets

    def _push(self, samples: Samples) -> None:
        piece = PIECE_FRAMES * FRAME_SAMPLES
        while self._held_count + len(samples) >= piece:
            rest = piece - self._held_count
            self._submit(np.concatenate([*self._held, samples[:rest]]))
            self._held, self._held_count = [], 0
            samples = samples[rest:]
        if len(samples):
            self._held.append(samples)
            self._held_count += len(samples)

    def _submit(self, samples: Samples) -> None:
        while len(self._pieces) > self._threads:
            self._collect()
        # A piece waits for one that began before it, so the first of those that run never waits.
        self._last = self._pool.submit(_encode_piece, samples, _Encoder(self._layout), self._last)
        self._pieces.append(self._last)

    def _collect(self) -> None:
        packets, _ = self._pieces.popleft().result()
        self._packets += packets
