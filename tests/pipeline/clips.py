"""Small sources of every awkward kind, made with PyAV, and checks of results."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame

import codec
from benchmarks.common.synthetic import RATE, Clip, moving_picture
from codec import is_key_frame, is_shown
from excamera.media.playback import read_file
from excamera.media.source.picture import Planes

__all__ = [
    "RATE",
    "Clip",
    "check_plays_alike",
    "decode_ours",
    "decode_with",
    "decoded_times",
    "i420",
    "in_milliseconds",
    "key_frames",
    "mean_error",
    "moving_picture",
    "packet_times",
    "write_sound_only",
]


def write_sound_only(path: Path) -> Path:
    """An MP4 file without any video stream."""
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        for number in range(20):
            frame = AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = RATE, 1024 * number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def decoded_times(path: Path) -> list[Fraction]:
    """Presentation times of all frames by PyAV's own sequential decoding, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def packet_times(path: Path) -> list[Fraction]:
    """Presentation times of the shown video packets of a result, in seconds."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        return [p.pts * p.time_base for p in packets if is_shown(bytes(p))]


def in_milliseconds(times: list[Fraction]) -> list[int]:
    """Seconds as whole milliseconds, rounded half up."""
    return [math.floor(time * 1000 + Fraction(1, 2)) for time in times]


def decode_with(path: Path, decoder: str) -> list[bytes]:
    """All shown frames of a VP8 file as I420 bytes, by one of FFmpeg's decoders."""
    pictures = []
    with av.open(str(path)) as container:
        context = av.CodecContext.create(decoder, "r")
        packets = [p for p in container.demux(video=0) if p.size]
        for packet in [*packets, None]:
            for frame in context.decode(packet):
                pictures.append(i420(frame))
    return pictures


def i420(frame: Any) -> bytes:
    """A decoded yuv420p frame as tightly packed bytes."""
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: plane.height, : plane.width].tobytes())
    return b"".join(planes)


def decode_ours(path: Path) -> list[bytes]:
    """All shown frames of a VP8 file as I420 bytes, by our codec."""
    state = None
    pictures = []
    for frame in read_file(path).frames:
        decoded = codec.decode(state, frame)
        state = decoded.state
        if is_shown(frame):
            pictures.append(decoded.raster.i420())
    return pictures


def key_frames(path: Path) -> int:
    """Number of key frames of a VP8 file."""
    return sum(is_key_frame(frame) for frame in read_file(path).frames)


def check_plays_alike(path: Path) -> list[bytes]:
    """Check that FFmpeg's two decoders and ours agree, and return the frames."""
    ours = decode_ours(path)
    for decoder in ("vp8", "libvpx"):
        theirs = decode_with(path, decoder)
        assert len(theirs) == len(ours), decoder
        assert theirs == ours, decoder
    return ours


def mean_error(picture: bytes, planes: Planes) -> float:
    """Mean absolute error of the luma plane."""
    height, width = planes[0].shape
    luma = np.frombuffer(picture, np.uint8, height * width).reshape(height, width)
    return float(np.abs(luma.astype(int) - planes[0]).mean())
