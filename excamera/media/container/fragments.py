"""MP4 in fragments: the files of a ladder, of one track each, which manifests point into.

In front lie the head of the track and an index of segments (`sidx`); then a fragment (`moof` and
`mdat`) for each batch, made by the worker of the batch. Frames are shown by a *lead* later than
their places in the order of showing say, so that none is shown before it is decoded; an edit takes
it away. Workers know the lead from the plan.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from excamera.errors import ContainerError
from excamera.job.codecs import FRAGMENTS
from excamera.job.plan import Plan
from excamera.job.records import AudioRecord
from excamera.media.codecs import H264, OutputCodec
from excamera.media.container.mp4_boxes import UNITY, WORD, box, full, halves, language, words
from excamera.media.container.mp4_output import video_track
from excamera.media.container.mp4_tracks import (
    SOUND_SAMPLES,
    SoundTrack,
    VideoTrack,
    sound_entry,
    video_entry,
)
from excamera.media.container.protocol import Cues, Run, Stamped
from excamera.media.container.webm import Block

_TRACK = 1
_FINEST, _FINE = 10_000_000, 1_000_000  # ticks of a second: segments must fit into 32 bits
_SAME_FILE = 0x020000  # places count from the fragment's own first byte
_EACH_SAMPLE = 0xF01  # has a duration, a size, flags, an offset; and there is a place of the data
_KEY, _OTHER = 0x02000000, 0x01010000
_BEGINS_WITH_KEY = 0x90000000
_LARGEST_SEGMENT = 0x7FFFFFFF

Sample = tuple[int, int, int, int]
"""Duration, bytes, flags, and how much later it is shown than decoded; times in ticks."""


@dataclass(frozen=True, slots=True)
class Fragments:
    """MP4 in fragments; the sound of a ladder has a file of its own."""

    codec: OutputCodec = H264
    name: str = FRAGMENTS
    media_type: str = "video/mp4"
    holds_sound: bool = True
    holds_chapters: bool = False
    sound_codec: str = "aac"
    counts_frames: bool = False

    def batch(self, plan: Plan, frames: Sequence[Stamped], *, last: bool) -> tuple[bytes, Cues]:
        """See `OutputContainer.batch`; the cues say that a segment can begin here."""
        [batch] = plan.batches
        clock = _Clock.of(plan.time_base)
        lead = clock.ticks(plan.lead)
        shown = [clock.ticks(pts) for pts in sorted(pts for pts, _ in frames)]
        # A frame is decoded at the time of the frame that has its place in the order of showing.
        ends = [*shown[1:], clock.ticks(plan.until(batch))]
        samples = [
            (
                end - begin,
                len(frame),
                _KEY if self.codec.is_key_frame(frame) else _OTHER,
                lead + clock.ticks(pts) - begin,
            )
            for begin, end, (pts, frame) in zip(shown, ends, frames, strict=True)
        ]
        data = b"".join(frame for _, frame in frames)
        return fragment(batch.number + 1, shown[0], samples, data), [
            [plan.milliseconds(batch.pts[0]), 0]
        ]

    def with_sound(
        self,
        data: bytes,
        cues: Cues,
        before: Sequence[Block],
        behind: Sequence[Block],
        start_ms: int,
    ) -> tuple[bytes, Cues]:
        """A file has one track.

        Raises:
            ContainerError: always.
        """
        raise ContainerError("the sound of a ladder has a file of its own")

    def wrap(
        self,
        plan: Plan,
        packets: int,
        sound: AudioRecord | None,
        runs: Sequence[Run],
        config: bytes = b"",
    ) -> tuple[bytes, bytes]:
        """See `OutputContainer.wrap`; a segment begins with each run that has cues.

        Raises:
            ContainerError: a segment is too large.
        """
        clock = _Clock.of(plan.time_base)
        segments: list[tuple[int, int]] = []
        for batch, run in zip(plan.batches, runs, strict=True):
            length = clock.ticks(plan.until(batch)) - clock.ticks(batch.pts[0])
            if run.cues:
                segments.append((run.size, length))
            else:
                size, before = segments[-1]
                segments[-1] = (size + run.size, before + length)
        video = video_track(plan, self.codec, config)
        head = video_head(video, clock.scale, clock.ticks(plan.end), clock.ticks(plan.lead))
        begin = clock.ticks(plan.batches[0].pts[0])
        return head + segment_index(clock.scale, begin, segments), b""


@dataclass(frozen=True, slots=True)
class _Clock:
    """The clock of a track: ticks of a second."""

    scale: int
    time_base: Fraction

    @classmethod
    def of(cls, time_base: Fraction) -> _Clock:
        own = time_base.denominator
        return cls(own if own <= _FINEST else _FINE, time_base)

    def ticks(self, pts: int) -> int:
        """A time of the plan, rounded half up."""
        tick = self.time_base * self.scale
        return (2 * pts * tick.numerator + tick.denominator) // (2 * tick.denominator)


def fragment(number: int, begin: int, samples: Sequence[Sample], data: bytes) -> bytes:
    """Samples that follow each other, with their head.

    Args:
        number: of the fragment, from 1.
        begin: when the first sample is decoded, in ticks.
        samples: in order of decoding.
        data: their bytes.

    Raises:
        ContainerError: MP4 cannot hold a sample.
    """
    if max(duration for duration, *_ in samples) > WORD or len(data) > WORD - 8:
        raise ContainerError("a batch is too long for MP4 in fragments: give a smaller -n")
    if min(late for *_, late in samples) < 0:
        raise ContainerError("a frame is decoded after it is shown")
    table = b"".join(struct.pack(">4I", *sample) for sample in samples)

    def head(place: int) -> bytes:
        return box(
            "moof",
            full("mfhd", words(number)),
            box(
                "traf",
                full("tfhd", words(_TRACK), flags=_SAME_FILE),
                full("tfdt", struct.pack(">Q", begin), version=1),
                full("trun", words(len(samples), place), table, flags=_EACH_SAMPLE),
            ),
        )

    return head(len(head(0)) + 8) + box("mdat", data)


def segment_index(scale: int, begin: int, segments: Sequence[tuple[int, int]]) -> bytes:
    """The index of segments that follow it, each of which begins with a key frame.

    Args:
        scale: ticks of a second.
        begin: when the first begins, in ticks.
        segments: bytes and ticks of each.

    Raises:
        ContainerError: one is too large.
    """
    if max(size for size, _ in segments) > _LARGEST_SEGMENT or len(segments) > 0xFFFF:
        raise ContainerError("a segment is too large, or there are too many, for an index of MP4")
    rows = b"".join(words(size, length, _BEGINS_WITH_KEY) for size, length in segments)
    return full(
        "sidx", words(_TRACK, scale), struct.pack(">QQ", begin, 0), halves(0, len(segments)), rows,
        version=1,
    )  # fmt: skip


def index_of(front: bytes) -> tuple[int, int]:
    """Where the index of segments begins in the front of a file, and its size."""
    at = 0
    while front[at + 4 : at + 8] != b"sidx":
        at += int.from_bytes(front[at : at + 4], "big")
    return at, int.from_bytes(front[at : at + 4], "big")


def lead_of(times: Sequence[int], reordered: int) -> int:
    """How much later than decoded frames have to be shown, in ticks.

    Args:
        times: of all frames, in order.
        reordered: see `excamera.media.codecs.OutputCodec`.
    """
    return max((b - a for a, b in zip(times, times[reordered:], strict=False)), default=0)


def video_head(video: VideoTrack, scale: int, length: int, lead: int) -> bytes:
    """The head of a file of pictures.

    Args:
        video: its track.
        scale: ticks of a second.
        length: of the film, in ticks.
        lead: see `lead_of`, in ticks.
    """
    num, den = video.sample_aspect
    shown = (
        round(video.width * Fraction(num, den) * 0x10000) if num > den else video.width << 16,
        round(video.height * Fraction(den, num) * 0x10000) if den > num else video.height << 16,
    )
    brand = [video.entry] if video.entry in ("avc1", "av01") else []
    return _head(
        brand, scale, length, words(*shown), 0, "vide", "VideoHandler", video.language,
        full("vmhd", halves(0, 0, 0, 0), flags=1), video_entry(video), _from(lead),
    )  # fmt: skip


def sound_head(sound: SoundTrack, sizes: Sequence[int]) -> bytes:
    """The head of a file of sound with packets of these sizes.

    What a decoder makes before the film's time 0 is taken away by an edit.
    """
    length = sound.first + sound.delay + sound.samples
    return _head(
        [], sound.rate, max(0, length), words(0, 0), 0x100, "soun", "SoundHandler", sound.language,
        full("smhd", halves(0, 0)), sound_entry(sound, sizes),
        _from(max(0, -sound.first)),
    )  # fmt: skip


def sound_samples(packets: Iterable[Block], last: int | None) -> list[Sample]:
    """Packets of AAC as samples; the last may be shorter."""
    samples = [(SOUND_SAMPLES, len(one.data), _KEY, 0) for one in packets]
    if last is not None:
        samples[-1] = (last, *samples[-1][1:])
    return samples


def _from(begin: int) -> bytes:
    """An edit that lets a track begin at that time of its own, in ticks; nothing if that is 0."""
    if not begin:
        return b""
    row = struct.pack(">QqI", 0, begin, 0x10000)
    return box("edts", full("elst", words(1), row, version=1))


def _head(
    brands: Sequence[str],
    scale: int,
    length: int,
    size: bytes,
    volume: int,
    handler: str,
    name: str,
    code: str,
    kind: bytes,
    entry: bytes,
    edits: bytes = b"",
) -> bytes:
    known = [one.encode() for one in ("iso6", "mp41", *brands)]
    tables = [full(name, words(0)) for name in ("stts", "stsc", "stco")]
    return box("ftyp", b"iso6", words(0), *known) + box(
        "moov",
        full("mvhd", words(0, 0, scale, 0, 0x10000), halves(0x100, 0), words(0, 0), UNITY,
             bytes(24), words(_TRACK + 1)),
        box(
            "trak",
            full("tkhd", words(0, 0, _TRACK, 0, 0, 0, 0), halves(0, 0, volume, 0), UNITY, size,
                 flags=3),
            edits,
            box(
                "mdia",
                full("mdhd", words(0, 0, scale, 0), halves(language(code), 0)),
                full("hdlr", words(0), handler.encode(), words(0, 0, 0), name.encode(), b"\0"),
                box(
                    "minf",
                    kind,
                    box("dinf", full("dref", words(1), full("url ", flags=1))),
                    box("stbl", full("stsd", words(1), entry), *tables, full("stsz", words(0, 0))),
                ),
            ),
        ),
        box(
            "mvex",
            full("mehd", struct.pack(">Q", length), version=1),
            full("trex", words(_TRACK, 1, 0, 0, 0)),
        ),
    )  # fmt: skip
