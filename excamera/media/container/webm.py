"""Writing WebM in pieces that different workers make.

A batch is one or more self-contained clusters. The header before them has the cues, too: who has
read it can play and seek.
All block timestamps are in milliseconds (TimestampScale 1,000,000 ns).
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from excamera.job.geometry import Light
from excamera.job.tags import Chapter
from excamera.media.codecs import VP8, OutputCodec
from excamera.media.container import ebml
from excamera.media.container.ebml import element, real, signed, text, unsigned

VIDEO_TRACK, AUDIO_TRACK = 1, 2
"""Numbers of the tracks; further sound tracks have the next ones."""

_MAX_OFFSET_MS = 30_000  # a block's offset in its cluster is a signed 16-bit integer
_KEY, _INVISIBLE = 0x80, 0x08


@dataclass(frozen=True, slots=True)
class Block:
    """One coded frame of one track.

    Attributes:
        track: `VIDEO_TRACK`, or `AUDIO_TRACK` and more.
        time_ms: presentation timestamp.
        data: the coded bytes.
        key: a key frame (all audio is).
        invisible: decoded but not shown (hidden altref frames).
        duration_ms: only for a last frame; None leaves it out.
        discard_ns: audio at the block's end that is not to be played.
    """

    track: int
    time_ms: int
    data: bytes
    key: bool = False
    invisible: bool = False
    duration_ms: int | None = None
    discard_ns: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A finished cluster: its timestamp, its bytes and whether it begins with a key frame."""

    time_ms: int
    data: bytes
    key: bool


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The header fields of the video track.

    Attributes:
        width: px.
        height: px.
        sample_aspect: pixel width to height.
        frame_ns: duration of every frame if it is constant, else None.
        matrix: H.273 matrix coefficients; 2 (unspecified) is left out, as below.
        transfer: H.273 transfer characteristics.
        primaries: H.273 colour primaries.
        codec: of the frames.
        language: ISO 639-2, or "".
        light: of HDR pictures.
        private: what the codec has to say in the header, or nothing.
        bits: of a sample; 8 is left out.
    """

    width: int
    height: int
    sample_aspect: tuple[int, int] = (1, 1)
    frame_ns: int | None = None
    matrix: int = 2
    transfer: int = 2
    primaries: int = 2
    codec: OutputCodec = VP8
    language: str = ""
    light: Light = Light()  # noqa: RUF009 (it cannot change)
    private: bytes = b""
    bits: int = 8


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The header fields of the sound track: Opus at 48 kHz.

    Attributes:
        channels: number of channels.
        private: the `OpusHead` structure.
        delay_ns: sound that the decoder must drop at the start.
        language: ISO 639-2, or "".
        title: of the track, or "".
        number: of the track.
        default: whether players take it if nobody chooses.
    """

    channels: int
    private: bytes
    delay_ns: int
    language: str = ""
    title: str = ""
    number: int = AUDIO_TRACK
    default: bool = True


def of_track(blocks: Iterable[Block], place: int) -> list[Block]:
    """Blocks of a sound track as those of the track with that number, from 0, among several."""
    return [replace(block, track=AUDIO_TRACK + place) for block in blocks]


def _block(block: Block, cluster_ms: int) -> bytes:
    flags = (_INVISIBLE if block.invisible else 0) | (_KEY if block.key else 0)
    grouped = block.duration_ms is not None or block.discard_ns != 0
    if grouped:
        flags &= ~_KEY  # reserved in a Block; key is then said by having no reference
    head = ebml.size_field(block.track, 1)
    head += struct.pack(">hB", block.time_ms - cluster_ms, flags)
    if not grouped:
        return element(ebml.SIMPLE_BLOCK, head, block.data)
    parts = [element(ebml.BLOCK, head, block.data)]
    if block.duration_ms is not None:
        parts.append(unsigned(ebml.BLOCK_DURATION, block.duration_ms))
    if not block.key:
        parts.append(signed(0xFB, -1))  # ReferenceBlock: the frame is not a key frame
    if block.discard_ns:
        parts.append(signed(ebml.DISCARD_PADDING, block.discard_ns))
    return element(ebml.BLOCK_GROUP, *parts)


def clusters(blocks: Iterable[Block], start_ms: int | None = None) -> Iterator[Cluster]:
    """Blocks in time order as clusters, none of which spans more than 30 s.

    Args:
        blocks: of any tracks.
        start_ms: timestamp of the first cluster if earlier than its first block.
    """
    held: list[Block] = []
    base = start_ms or 0
    for block in blocks:
        if not held:
            base = block.time_ms if start_ms is None else min(start_ms, block.time_ms)
            start_ms = None
        elif block.time_ms - base > _MAX_OFFSET_MS:
            yield _cluster(held, base)
            held, base = [], block.time_ms
        if block.time_ms - base > _MAX_OFFSET_MS:
            base = block.time_ms
        held.append(block)
    if held:
        yield _cluster(held, base)


def _cluster(blocks: list[Block], base: int) -> Cluster:
    body = [unsigned(ebml.TIMESTAMP, base), *(_block(block, base) for block in blocks)]
    return Cluster(base, element(ebml.CLUSTER, *body), blocks[0].key)


def _light(light: Light) -> Iterator[bytes]:
    for number, value in zip((ebml.MAX_CLL, ebml.MAX_FALL), light.content, strict=False):
        yield unsigned(number, value)
    display = [
        *zip(ebml.CHROMATICITIES, (value / 50_000 for value in light.primaries), strict=False),
        *zip(ebml.LUMINANCES, (value / 10_000 for value in light.luminance), strict=False),
    ]
    if display:
        yield element(ebml.MASTERING, *(real(number, value) for number, value in display))


def _video_entry(video: VideoTrack) -> bytes:
    num, den = video.sample_aspect
    wide = num >= den
    shown_width = round(video.width * num / den) if wide else video.width
    shown_height = video.height if wide else round(video.height * den / num)
    picture = [
        unsigned(ebml.PIXEL_WIDTH, video.width),
        unsigned(ebml.PIXEL_HEIGHT, video.height),
        unsigned(ebml.DISPLAY_WIDTH, shown_width),
        unsigned(ebml.DISPLAY_HEIGHT, shown_height),
    ]
    colour = [unsigned(ebml.COLOUR_RANGE, 1)]  # limited
    for number, value in (
        (ebml.MATRIX, video.matrix),
        (ebml.TRANSFER, video.transfer),
        (ebml.PRIMARIES, video.primaries),
    ):
        if value not in (0, 2):
            colour.append(unsigned(number, value))
    if video.bits > 8:
        colour.append(unsigned(ebml.BITS_PER_CHANNEL, video.bits))
    picture.append(element(ebml.COLOUR, *colour, *_light(video.light)))
    entry = [
        unsigned(ebml.TRACK_NUMBER, VIDEO_TRACK),
        unsigned(ebml.TRACK_UID, VIDEO_TRACK),
        unsigned(ebml.TRACK_TYPE, 1),
        unsigned(ebml.FLAG_LACING, 0),
        text(ebml.LANGUAGE, video.language or "und"),
        text(ebml.CODEC_ID, video.codec.matroska_id),
    ]
    if video.private:
        entry.append(element(ebml.CODEC_PRIVATE, video.private))
    if video.frame_ns:
        entry.append(unsigned(ebml.DEFAULT_DURATION, video.frame_ns))
    return element(ebml.TRACK_ENTRY, *entry, element(ebml.VIDEO, *picture))


def _audio_entry(audio: AudioTrack) -> bytes:
    return element(
        ebml.TRACK_ENTRY,
        unsigned(ebml.TRACK_NUMBER, audio.number),
        unsigned(ebml.TRACK_UID, audio.number),
        unsigned(ebml.TRACK_TYPE, 2),
        *([] if audio.default else [unsigned(ebml.FLAG_DEFAULT, 0)]),
        unsigned(ebml.FLAG_LACING, 0),
        *([text(ebml.NAME, audio.title)] if audio.title else []),
        text(ebml.LANGUAGE, audio.language or "und"),
        text(ebml.CODEC_ID, "A_OPUS"),
        element(ebml.CODEC_PRIVATE, audio.private),
        unsigned(ebml.CODEC_DELAY, audio.delay_ns),
        unsigned(ebml.SEEK_PRE_ROLL, 80_000_000),
        element(
            ebml.AUDIO,
            real(ebml.SAMPLING_FREQUENCY, 48000.0),
            unsigned(ebml.CHANNELS, audio.channels),
        ),
    )


def _seek(number: int, position: int) -> bytes:
    return element(
        ebml.SEEK,
        element(ebml.SEEK_ID, ebml.identifier(number)),
        unsigned(ebml.SEEK_POSITION, position, 8),
    )


def _chapters(chapters: Sequence[Chapter]) -> bytes:
    atoms = (
        element(
            ebml.CHAPTER,
            unsigned(ebml.CHAPTER_UID, number),
            unsigned(ebml.CHAPTER_BEGIN, one.begin_ns),
            unsigned(ebml.CHAPTER_END, one.end_ns),
            element(
                ebml.CHAPTER_DISPLAY,
                text(ebml.CHAPTER_TITLE, one.title),
                text(ebml.CHAPTER_LANGUAGE, "und"),
            ),
        )
        for number, one in enumerate(chapters, start=1)
    )
    return element(ebml.CHAPTERS, element(ebml.EDITION, *atoms)) if chapters else b""


def _cues(points: list[tuple[int, int]], track: int) -> bytes:
    if not points:
        return b""
    return element(
        ebml.CUES,
        *(
            element(
                ebml.CUE_POINT,
                unsigned(ebml.CUE_TIME, time_ms),
                element(
                    ebml.CUE_TRACK_POSITIONS,
                    unsigned(ebml.CUE_TRACK, track),
                    unsigned(ebml.CUE_CLUSTER_POSITION, position, 8),
                ),
            )
            for time_ms, position in points
        ),
    )


def front(
    duration_ms: float,
    video: VideoTrack | None,
    sounds: Sequence[AudioTrack],
    pieces: list[tuple[int, list[tuple[int, int]]]],
    title: str = "",
    doc_type: str = "webm",
    chapters: Sequence[Chapter] = (),
) -> bytes:
    """The bytes before the clusters of a file: its header, tracks, chapters and cues.

    Args:
        duration_ms: of the whole file.
        video: the video track; None for a file of sound alone.
        sounds: the sound tracks.
        pieces: in file order, for every run of cluster bytes its size and its cue points
            as (timestamp in ms, offset of the cluster in the run).
        title: of the film, or "".
        doc_type: "webm" or "matroska".
        chapters: in order.
    """
    info = element(
        ebml.INFO,
        unsigned(ebml.TIMESTAMP_SCALE, 1_000_000),
        text(ebml.MUXING_APP, "excamera"),
        text(ebml.WRITING_APP, "excamera"),
        real(ebml.DURATION, duration_ms),
        *([text(ebml.TITLE, title)] if title else []),
    )
    entries = [_video_entry(video)] if video else []
    entries += map(_audio_entry, sounds)
    track = VIDEO_TRACK if video else AUDIO_TRACK
    points: list[tuple[int, int]] = []
    size = 0
    for length, cues in pieces:
        points.extend((time_ms, size + offset) for time_ms, offset in cues)
        size += length
    parts = {
        ebml.INFO: info,
        ebml.TRACKS: element(ebml.TRACKS, *entries),
        ebml.CHAPTERS: _chapters(chapters),
        ebml.CUES: _cues(points, track),  # positions have a fixed length
    }
    named = [number for number, part in parts.items() if part]
    lead = len(element(ebml.SEEK_HEAD, *(_seek(number, 0) for number in named)))
    places = itertools.accumulate((len(parts[number]) for number in named), initial=lead)
    seeks = [_seek(number, at) for number, at in zip(named, places, strict=False)]
    before = lead + sum(map(len, parts.values()))
    parts[ebml.CUES] = _cues([(time_ms, before + at) for time_ms, at in points], track)
    head = element(
        ebml.EBML,
        unsigned(ebml.EBML_VERSION, 1),
        unsigned(ebml.EBML_READ_VERSION, 1),
        unsigned(ebml.EBML_MAX_ID_LENGTH, 4),
        unsigned(ebml.EBML_MAX_SIZE_LENGTH, 8),
        text(ebml.DOC_TYPE, doc_type),
        unsigned(ebml.DOC_TYPE_VERSION, 4),
        unsigned(ebml.DOC_TYPE_READ_VERSION, 2),
    )
    segment = ebml.identifier(ebml.SEGMENT) + ebml.size_field(before + size, 8)
    return head + segment + element(ebml.SEEK_HEAD, *seeks) + b"".join(parts.values())


def cues_of(front: bytes) -> tuple[int, int]:
    """Where the cues begin in a front, and the size of their element.

    Args:
        front: as `front` has written it, with cues.
    """
    at = 0
    while True:
        number, size, body = ebml.read_element(front, at)
        if number == ebml.CUES:
            return at, body + size - at
        at = body if number == ebml.SEGMENT else body + size
