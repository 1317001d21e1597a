"""Coded pictures of other codecs than ours, as containers take them, made with PyAV's encoders."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext

from benchmarks.common.synthetic import moving_picture
from excamera.media.priority import usual_priority
from excamera.media.source.picture import frame_of

# Settings that make a short closed batch quickly, with reordered frames where the codec has them.
_ENCODERS = {
    # The tree of macroblocks differs from run to run on machines with AVX-512.
    "h264": ("libx264", {"preset": "veryfast", "bf": "3", "threads": "1", "mbtree": "0"}),
    "vp9": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime", "lag-in-frames": "0"}),
    "av1": ("libsvtav1", {"preset": "12", "svtav1-params": "lp=1:log=0"}),
}


@dataclass(frozen=True, slots=True)
class Coded:
    """A batch of coded pictures.

    Attributes:
        frames: timestamp and bytes of each, in order of decoding.
        keys: places of the key frames.
        record: the decoder's configuration, as the MP4 box of the codec has it.
    """

    frames: list[tuple[int, bytes]]
    keys: list[int]
    record: bytes


def coded(
    codec: str, times: Sequence[int], width: int = 96, height: int = 64, first: int = 0
) -> Coded:
    """Some moving pictures, coded as one closed group.

    Args:
        codec: "h264", "vp9" or "av1".
        times: of the pictures.
        width: px.
        height: px.
        first: number of the first picture.
    """
    name, options = _ENCODERS[codec]
    context = VideoCodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {**options, "g": "1000"}
    with usual_priority():
        context.open()
    packets = []
    for number in range(len(times)):
        frame = frame_of(moving_picture(first + number, width, height), "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        packets += context.encode(frame)
    packets += context.encode(None)
    datas = [bytes(packet) for packet in packets]
    if codec == "h264":
        record = _avc_record(b"".join(datas))
        datas = [_avc_sample(data) for data in datas]
    elif codec == "av1":
        record = bytes(context.extradata or b"")
        datas = [_without_delimiter(data) for data in datas]
    else:
        record = bytes([0, 10, 8 << 4 | 1 << 1, 2, 2, 2, 0, 0])
    stamps = [times[packet.pts] for packet in packets if packet.pts is not None]
    keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    return Coded(list(zip(stamps, datas, strict=True)), keys, record)


def _units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B stream."""
    starts = []
    at = data.find(b"\0\0\1")
    while at >= 0:
        starts.append(at)
        at = data.find(b"\0\0\1", at + 3)
    for begin, end in itertools.pairwise([*starts, len(data)]):
        yield data[begin + 3 : end].rstrip(b"\0")


def _avc_record(data: bytes) -> bytes:
    sps = next(unit for unit in _units(data) if unit[0] & 31 == 7)
    pps = next(unit for unit in _units(data) if unit[0] & 31 == 8)
    record = bytes([1, *sps[1:4], 0xFF, 0xE1]) + struct.pack(">H", len(sps)) + sps
    record += b"\1" + struct.pack(">H", len(pps)) + pps
    return record + (b"\xfd\xf8\xf8\0" if sps[1] in (100, 110, 122, 144) else b"")


def _avc_sample(data: bytes) -> bytes:
    kept = [unit for unit in _units(data) if unit[0] & 31 not in (7, 8, 9)]
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in kept)


def _without_delimiter(data: bytes) -> bytes:
    return data[2:] if data[:2] == b"\x12\0" else data


def decoded(path: str, kind: str = "video") -> list[av.frame.Frame]:
    """All frames of a file's only track of a kind."""
    with av.open(path) as container:
        stream = getattr(container.streams, kind)[0]
        return list(container.decode(stream))
