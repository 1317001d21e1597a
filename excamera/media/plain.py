"""Encoding plain chunks of VP9, AV1 and H.264: one key frame, a closed group of pictures.

The encoders are those that PyAV carries. Each has one thread, so that bytes do not depend on the
machine; chunks beside each other use its processors.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from excamera.errors import ChunkError, SeamMismatch
from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.media import bitstreams
from excamera.media.codecs import OUTPUT_CODECS
from excamera.media.join import CodedChunk
from excamera.media.priority import usual_priority
from excamera.media.source.picture import i420

_NO_MORE_KEY_FRAMES = "9999"
_USUAL_RATE, _HIGHEST_RATE = Fraction(30), 240
_LIMITED_RANGE = 1

# x264's kernels for AVX-512 take what lies in memory by chance into account (mbtree): the same
# pictures then give other bytes each time. Those from SSSE3 to AVX2 give other bytes than its plain
# code; those for SSE2 give the same, and take a tenth longer than AVX2's.
_X264_KERNELS = ":asm=SSE2" if platform.machine() in ("x86_64", "AMD64") else ""

# SVT-AV1 otherwise describes itself on standard error for every chunk. It reads this when it opens.
os.environ.setdefault("SVT_LOG", "1")


def _vp9_options(options: EncodeOptions) -> dict[str, str]:
    # A key frame distance with equal bounds also switches off key frames at cuts.
    return {
        "crf": str(options.crf),
        "deadline": "good",
        "cpu-used": str(options.plain.vp9_cpu_used),
        "lag-in-frames": "25",
        "auto-alt-ref": "1",
        "row-mt": "0",
        "g": _NO_MORE_KEY_FRAMES,
        "keyint_min": _NO_MORE_KEY_FRAMES,
    }


def _av1_options(options: EncodeOptions) -> dict[str, str]:
    return {
        "crf": str(options.crf),
        "preset": str(options.plain.av1_preset),
        "svtav1-params": "lp=1:keyint=-1:scd=0",
    }


def _h264_options(options: EncodeOptions) -> dict[str, str]:
    # "stitchable" keeps what the pictures are out of the headers: all chunks have the same.
    wanted = "threads=1:keyint=infinite:scenecut=0:open-gop=0:stitchable=1"
    return {
        "crf": f"{options.exact_crf:g}",
        "preset": options.plain.h264_preset,
        "x264-params": wanted + _X264_KERNELS,
    }


@dataclass(frozen=True, slots=True)
class _Encoder:
    """How FFmpeg names an encoder and its decoder, and what becomes of what it gives."""

    name: str
    decoder: str
    options: Callable[[EncodeOptions], dict[str, str]]
    packet: Callable[[bytes], bytes]


def _as_it_is(packet: bytes) -> bytes:
    return packet


_ENCODERS = {
    "vp9": _Encoder("libvpx-vp9", "vp9", _vp9_options, _as_it_is),
    "av1": _Encoder("libsvtav1", "libdav1d", _av1_options, bitstreams.av1_packet),
    "h264": _Encoder("libx264", "h264", _h264_options, bitstreams.h264_packet),
}


def nominal_rate(stated: Fraction) -> Fraction:
    """The frames a second that encoders are told, by those that a source states."""
    rate = stated.limit_denominator(1001)
    return rate if 1 <= rate <= _HIGHEST_RATE else _USUAL_RATE


class PlainEncoder:
    """Encodes consecutive pictures as one chunk; they are given one by one.

    Args:
        options: codec, quality and speed.
        geometry: size and colours of the result.
        rate: frames a second; the bytes do not depend on other timestamps.
    """

    def __init__(self, options: EncodeOptions, geometry: Geometry, rate: Fraction) -> None:
        self._codec = options.codec
        self._geometry, self._rate = geometry, rate
        self._encoder = _ENCODERS[options.codec]
        self._context = _opened(self._encoder, options, geometry, rate)
        self._frames: list[bytes] = []
        self._order: list[int] = []
        self._count = 0

    def add(self, picture: VideoFrame) -> None:
        """Encode the next picture.

        Args:
            picture: an I420 frame of the result's size; its timestamp and type are overwritten.
        """
        picture.pts = self._count
        picture.time_base = self._context.time_base
        picture.duration = 1
        # Left by the source's decoder; an encoder would make a key frame of every I picture.
        picture.pict_type = PictureType.NONE
        self._count += 1
        self._encode(picture)

    def finish(self) -> CodedChunk:
        """The chunk.

        Raises:
            ChunkError: the encoder did not return one key frame first, and one packet a picture.
        """
        self._encode(None)
        frames, order = self._frames, self._order
        _check(frames, order, self._count, self._codec)
        in_order = order == sorted(order)
        config = _configuration(self._codec, self._context, frames, self._geometry, self._rate)
        return CodedChunk(frames, order=() if in_order else tuple(order), config=config)

    def _encode(self, picture: VideoFrame | None) -> None:
        for packet in self._context.encode(picture):
            self._frames.append(self._encoder.packet(bytes(packet)))
            self._order.append(-1 if packet.pts is None else packet.pts)


def encode_plain(
    pictures: Iterable[VideoFrame], options: EncodeOptions, geometry: Geometry, rate: Fraction
) -> CodedChunk:
    """Encode consecutive pictures as one chunk, see `PlainEncoder`; they are taken one by one.

    Raises:
        ChunkError: the encoder did not return one key frame first, and one packet a picture.
    """
    encoder = PlainEncoder(options, geometry, rate)
    for picture in pictures:
        encoder.add(picture)
    return encoder.finish()


def _opened(
    encoder: _Encoder, options: EncodeOptions, geometry: Geometry, rate: Fraction
) -> VideoCodecContext:
    context = cast(VideoCodecContext, av.CodecContext.create(encoder.name, "w"))
    context.width, context.height = geometry.width, geometry.height
    context.pix_fmt = i420(geometry.bits)
    context.framerate, context.time_base = rate, 1 / rate
    context.color_range = _LIMITED_RANGE
    context.colorspace = geometry.matrix
    context.color_trc = geometry.transfer
    context.color_primaries = geometry.primaries
    context.thread_count = 1
    context.bit_rate = 0  # constant quality
    context.flags |= Flags.global_header
    context.options = encoder.options(options)
    with usual_priority():
        context.open()
    return context


def _check(frames: Sequence[bytes], order: Sequence[int], count: int, name: str) -> None:
    keys = [number for number, one in enumerate(frames) if OUTPUT_CODECS[name].is_key_frame(one)]
    if sorted(order) != list(range(count)) or keys != [0]:
        raise ChunkError(
            f"the {name} encoder gave {len(frames)} frames for {count}, key frames at {keys}"
        )


def _configuration(
    name: str,
    context: VideoCodecContext,
    frames: Sequence[bytes],
    geometry: Geometry,
    rate: Fraction,
) -> bytes:
    if name == "h264":
        return bitstreams.h264_configuration(bytes(context.extradata or b""), geometry.bits)
    if name == "av1":
        return bitstreams.av1_configuration(frames[0], geometry.bits)
    colour = (geometry.primaries, geometry.transfer, geometry.matrix)
    return bitstreams.vp9_configuration(geometry.width * geometry.height, float(rate), colour)


def check_plain(chunk: CodedChunk, name: str, count: int, threads: int, bits: int = 8) -> None:
    """Decode a chunk, count what is shown, and look at its depth.

    Args:
        chunk: as it stands in the result.
        name: of its codec.
        count: of pictures.
        threads: that may decode.
        bits: of a sample.

    Raises:
        SeamMismatch: it does not decode to one picture of that depth after another.
    """
    if not chunk.frames or not OUTPUT_CODECS[name].is_key_frame(chunk.frames[0]):
        raise SeamMismatch(f"a chunk of {name} does not begin with a key frame")
    shown: list[int | None] = []
    formats: set[str] = set()
    try:
        for one in decoded_plain(chunk, name, threads):
            shown.append(None if one.is_corrupt else one.pts)
            formats.add(one.format.name)
    except FFmpegError as error:
        raise SeamMismatch(f"a chunk of {name} does not decode: {error}") from error
    if shown != list(range(count)):
        raise SeamMismatch(f"a chunk of {name} decodes to {len(shown)} frames of {count}")
    if formats != {i420(bits)}:
        raise SeamMismatch(f"a chunk of {name} decodes to {formats}, not to {i420(bits)}")


def decoded_plain(chunk: CodedChunk, name: str, threads: int) -> Iterator[VideoFrame]:
    """The pictures of a chunk in order of display, numbered by their timestamps.

    Raises:
        FFmpegError: it does not decode.
    """
    decoder = cast(VideoCodecContext, av.CodecContext.create(_ENCODERS[name].decoder, "r"))
    decoder.thread_count = threads
    if OUTPUT_CODECS[name].configured:
        decoder.extradata = chunk.config
    for place, data in zip(chunk.order or range(len(chunk.frames)), chunk.frames, strict=True):
        packet = av.Packet(data)
        packet.pts = place
        yield from decoder.decode(packet)
    yield from decoder.decode(None)
