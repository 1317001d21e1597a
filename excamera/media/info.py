"""What is in a file: streams, key frames, and the types and sizes of frames.

Packets are read, and pictures are decoded only if the types of frames are wanted and the packets
alone do not tell them: those of VP8 do.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any, BinaryIO

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

import codec
from excamera.errors import SourceUnavailable
from excamera.media.source.guard import GuardedFile
from excamera.media.source.media import demux_past_damage, open_container

KEY, INTER, HIDDEN, UNKNOWN = "key", "inter", "hidden", "unknown"
"""Types of frames. Of other codecs than VP8 they are FFmpeg's: "I", "P", "B" and so on. A hidden
frame is not shown: others are predicted from it."""


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """A frame of the picture, in order of decoding.

    Attributes:
        time_s: when it is shown, in seconds; None if the container does not say.
        size: bytes.
        key: whether decoding can start here.
        type: see `KEY`.
        y_ac_qi: the index of its quantizer, in VP8; else None.
    """

    time_s: float | None
    size: int
    key: bool
    type: str
    y_ac_qi: int | None = None


@dataclass(frozen=True, slots=True)
class OfType:
    """The frames of a type: how many there are, and their bytes in all."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream.

    Attributes:
        number: its place in the file, from 0; FFmpeg's number, too.
        type: "video", "audio", "subtitle", "data" or "attachment".
        codec: FFmpeg's name of it.
        profile: of the codec, "" if it has none or is not known.
        language: as the file says, or "".
        title: the same.
        default: whether players take it unless told otherwise.
        packets: how many.
        size: of these, in bytes.
        duration_s: from the first packet to the end of the last.
        width: of a picture, px; 0 of other streams, like all that follows for pictures.
        height: the same.
        pixel_format: FFmpeg's name of it.
        sample_aspect: width to height of a pixel, as in "4:3"; "" if unknown.
        frame_rate: frames a second, as the file states it.
        color: primaries, transfer and matrix (H.273); 2 is unknown.
        full_range: whether the samples use all values.
        sample_rate: of sound, Hz.
        channels: FFmpeg's name of the layout.
        keys: how many key frames a picture has.
        key_frames: when they are shown, in seconds, as far as the container says.
        types: frames of each type, if they are known.
    """

    number: int
    type: str
    codec: str
    profile: str
    language: str
    title: str
    default: bool
    packets: int
    size: int
    duration_s: float
    width: int = 0
    height: int = 0
    pixel_format: str = ""
    sample_aspect: str = ""
    frame_rate: float = 0.0
    color: tuple[int, int, int] = (2, 2, 2)
    full_range: bool = False
    sample_rate: int = 0
    channels: str = ""
    keys: int = 0
    key_frames: Sequence[float] = ()
    types: Mapping[str, OfType] = field(default_factory=dict)

    @property
    def bits_per_second(self) -> float:
        """Its mean rate; 0 if its duration is not known."""
        return 8 * self.size / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def between_keys_s(self) -> tuple[float, float, float] | None:
        """The shortest, median and longest time between key frames; None of less than two."""
        times = sorted(self.key_frames)
        gaps = [after - before for before, after in pairwise(times)]
        return (min(gaps), median(gaps), max(gaps)) if gaps else None


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file.

    Attributes:
        name: as it was given.
        format: FFmpeg's names of its container.
        size: bytes.
        duration_s: as the container says, or else that of the longest stream.
        title: as the file says, or "".
        chapters: when each begins, in seconds, and its title.
        streams: in the file's order.
        frames: of the first picture that is no cover, if they were asked for.
    """

    name: str
    format: str
    size: int
    duration_s: float
    title: str
    chapters: Sequence[tuple[float, str]]
    streams: Sequence[StreamInfo]
    frames: Sequence[CodedFrame] = ()

    @property
    def bits_per_second(self) -> float:
        """The mean rate of all of it; 0 if the duration is not known."""
        return 8 * self.size / self.duration_s if self.duration_s > 0 else 0.0


def info_of(path: str, *, frames: bool = False, source: str | BinaryIO | None = None) -> FileInfo:
    """Look at a file.

    Args:
        path: of the file.
        frames: whether to list the frames, and decode them if that tells their types.
        source: what is read, if the path only names it.

    Raises:
        InputError: it is no media file, or cannot be read.
    """
    with open_container(path if source is None else source, path) as (container, file):
        counted = {stream.index: _Counted(stream) for stream in container.streams}
        pictures = [one for one in container.streams.video if not _is_cover(one)]
        types = _types_of(pictures[0], decode=frames) if pictures else None
        try:
            for packet in demux_past_damage(container, *container.streams):
                if packet.size or types is not None:
                    counted[packet.stream_index].add(packet)
                    if types is not None and packet.stream_index == pictures[0].index:
                        types.add(packet)
        except av.error.FFmpegError as error:
            _check(file)
            raise SourceUnavailable(f"{path}: {error.strerror}") from error
        _check(file)
        listed = types.frames() if types is not None else []
        of_types = {pictures[0].index: listed} if listed else {}
        streams = [one.told(of_types.get(number, ())) for number, one in counted.items()]
        length = container.duration
        return FileInfo(
            name=path,
            format=container.format.name,
            size=file.size if file is not None else sum(one.size for one in streams),
            duration_s=(
                length / av.time_base
                if length is not None
                else max((one.duration_s for one in streams), default=0.0)
            ),
            title=container.metadata.get("title", ""),
            chapters=[
                (one["start"] * float(one["time_base"] or 0), one["metadata"].get("title", ""))
                for one in container.chapters()
            ],
            streams=streams,
            frames=listed if frames else [],
        )


def _check(file: GuardedFile | None) -> None:
    if file is not None:
        file.check()


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & stream.disposition.attached_pic)


class _Counted:
    """Counts the packets of a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._packets = 0
        self._size = 0
        self._first: int | None = None
        self._end: int | None = None
        self._keys = 0
        self._key_times: list[float] = []

    def add(self, packet: Packet[Any]) -> None:
        if not packet.size:
            return
        self._packets += 1
        self._size += packet.size
        self._keys += packet.is_keyframe
        time = packet.dts if packet.pts is None else packet.pts
        if time is None:
            return
        end = time + (packet.duration or 0)
        self._first = time if self._first is None else min(self._first, time)
        self._end = end if self._end is None else max(self._end, end)
        if packet.is_keyframe and isinstance(self._stream, VideoStream):
            self._key_times.append(float(time * packet.time_base))

    def told(self, frames: Sequence[CodedFrame]) -> StreamInfo:
        stream = self._stream
        context = stream.codec_context
        length = 0.0
        if self._first is not None and self._end is not None:
            length = float((self._end - self._first) * (stream.time_base or Fraction(0)))
        about: dict[str, Any] = {}
        if isinstance(stream, VideoStream) and context is not None:
            about = _of_picture(stream, stream.codec_context)
            about |= {"keys": self._keys, "key_frames": tuple(self._key_times)}
        elif isinstance(stream, AudioStream) and context is not None:
            about = {
                "sample_rate": stream.codec_context.sample_rate,
                "channels": stream.codec_context.layout.name,
            }
        return StreamInfo(
            number=stream.index,
            type=stream.type,
            codec="unknown" if context is None else context.codec.canonical_name,
            profile=(getattr(context, "profile", None) or "") if context is not None else "",
            language=stream.metadata.get("language", ""),
            title=stream.metadata.get("title", ""),
            default=bool(stream.disposition & stream.disposition.default),
            packets=self._packets,
            size=self._size,
            duration_s=length,
            types=_sums(frames),
            **about,
        )


def _of_picture(stream: VideoStream, context: VideoCodecContext) -> dict[str, Any]:
    aspect = stream.sample_aspect_ratio
    rate = stream.average_rate or stream.guessed_rate
    return {
        "width": context.width,
        "height": context.height,
        "pixel_format": context.pix_fmt or "",
        "sample_aspect": f"{aspect.numerator}:{aspect.denominator}" if aspect else "",
        "frame_rate": float(rate) if rate else 0.0,
        "color": (
            int(context.color_primaries), int(context.color_trc), int(context.colorspace)
        ),
        "full_range": int(context.color_range) == _FULL,
    }  # fmt: skip


_FULL = 2  # AVCOL_RANGE_JPEG


def _sums(frames: Iterable[CodedFrame]) -> dict[str, OfType]:
    sizes: defaultdict[str, list[int]] = defaultdict(list)
    for frame in frames:
        sizes[frame.type].append(frame.size)
    return {name: OfType(len(some), sum(some)) for name, some in sizes.items()}


def _types_of(stream: VideoStream, *, decode: bool) -> _Types | None:
    context: VideoCodecContext | None = stream.codec_context
    if context is not None and context.codec.canonical_name == "vp8":
        return _Types(_of_vp8 if decode else _type_of_vp8)
    if not decode:
        return None
    # FFmpeg may have no decoder for it.
    return _Types(_unknown) if context is None else _Decoded(context)


def _type_of_vp8(packet: Packet[Any]) -> tuple[str, int | None]:
    data = bytes(packet)
    if codec.is_key_frame(data):
        return KEY, None
    return (INTER if codec.is_shown(data) else HIDDEN), None


def _of_vp8(packet: Packet[Any]) -> tuple[str, int | None]:
    kind, quantizer = _type_of_vp8(packet)
    with contextlib.suppress(codec.BitstreamError):
        quantizer = codec.y_ac_qi(bytes(packet))
    return kind, quantizer


def _unknown(_packet: Packet[Any]) -> tuple[str, int | None]:
    return UNKNOWN, None


class _Types:
    """The frames of a picture, whose packets tell their types."""

    def __init__(self, told_of: Callable[[Packet[Any]], tuple[str, int | None]]) -> None:
        self._told_of = told_of
        self._found: list[CodedFrame] = []

    def add(self, packet: Packet[Any]) -> None:
        if packet.size:
            time = packet.pts if packet.pts is not None else packet.dts
            seconds = None if time is None else float(time * packet.time_base)
            told = self._told_of(packet)
            self._found.append(CodedFrame(seconds, packet.size, packet.is_keyframe, *told))

    def frames(self) -> list[CodedFrame]:
        return self._found


class _Decoded(_Types):
    """The frames of a picture whose types are known once it is decoded."""

    def __init__(self, context: VideoCodecContext) -> None:
        super().__init__(_unknown)
        context.thread_type = "AUTO"
        context.copy_opaque = True
        self._context = context
        self._types: dict[int, str] = {}

    def add(self, packet: Packet[Any]) -> None:
        packet.opaque = len(self._found)
        super().add(packet)
        try:
            decoded = self._context.decode(packet)
        except av.error.FFmpegError:
            return  # its type stays unknown
        for frame in decoded:
            if isinstance(frame.opaque, int):
                self._types[frame.opaque] = PictureType(frame.pict_type).name

    def frames(self) -> list[CodedFrame]:
        return [
            CodedFrame(one.time_s, one.size, one.key, self._types.get(number, UNKNOWN))
            for number, one in enumerate(self._found)
        ]
