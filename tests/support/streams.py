"""VP8 streams made and played with libvpx and FFmpeg, through PyAV."""

from __future__ import annotations

import enum
import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np

import codec
from codec import Raster

DECODERS = ("vp8", "libvpx")


def _video_frame(raster: Raster, pts: int) -> av.VideoFrame:
    frame = av.VideoFrame(raster.width, raster.height, "yuv420p")
    for plane, samples in zip(frame.planes, raster.planes(), strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : samples.shape[1]] = samples
        plane.update(padded.tobytes())
    frame.pts = pts
    frame.time_base = Fraction(1, 25)
    return frame


def i420(frame: av.VideoFrame) -> bytes:
    """Returns the frame's samples, tightly packed."""
    planes = []
    for index, plane in enumerate(frame.planes):
        width, height = frame.width, frame.height
        if index:
            width, height = (width + 1) // 2, (height + 1) // 2
        samples = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        planes.append(samples[:height, :width].tobytes())
    return b"".join(planes)


class Flag(enum.IntFlag):
    """What an application may force upon libvpx for one frame (vpx/vp8cx.h)."""

    NO_REF_LAST = 1 << 16
    NO_REF_GOLDEN = 1 << 17
    NO_UPD_LAST = 1 << 18
    FORCE_GOLDEN = 1 << 19
    NO_UPD_ENTROPY = 1 << 20
    NO_REF_ALTREF = 1 << 21
    NO_UPD_GOLDEN = 1 << 22
    NO_UPD_ALTREF = 1 << 23
    FORCE_ALTREF = 1 << 24


def _with_flags(frame: av.VideoFrame, flags: Flag) -> av.VideoFrame:
    """Returns the frame with the metadata from which FFmpeg reads libvpx's flags.

    PyAV's frames have no way to set metadata; a filter does.
    """
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=Fraction(1, 25),
        ),
        graph.add("metadata", f"mode=add:key=vp8-flags:value={int(flags)}"),
        graph.add("buffersink"),
    ).configure()
    graph.push(frame)
    return graph.pull()


def encode_with_libvpx(
    pictures: Sequence[Raster],
    options: Mapping[str, str] | None = None,
    flags: Mapping[int, Flag] | None = None,
) -> list[bytes]:
    """Returns the frames libvpx makes of the pictures, in stream order.

    Args:
        pictures: All of one size.
        options: FFmpeg's names for libvpx's settings, over a default of one thread and
            one key frame.
        flags: What to force, by index of picture.
    """
    context = av.CodecContext.create("libvpx", "w")
    context.width, context.height = pictures[0].width, pictures[0].height
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25)
    # Equal distances keep libvpx from inserting key frames.
    key_frames = {"g": "9999", "keyint_min": "9999"}
    context.options = {"threads": "1", "deadline": "good", **key_frames, **(options or {})}
    frames = []
    for pts, picture in enumerate(pictures):
        frame = _video_frame(picture, pts)
        if flags and pts in flags:
            frame = _with_flags(frame, flags[pts])
        frames += [bytes(packet) for packet in context.encode(frame)]
    frames += [bytes(packet) for packet in context.encode(None)]
    return frames


def play(decoder: str, frames: Iterable[bytes]) -> list[bytes]:
    """Returns the I420 bytes of every shown frame, as FFmpeg's decoder returns them."""
    context = av.CodecContext.create(decoder, "r")
    context.thread_count = 1
    shown = []
    for frame in frames:
        shown += [i420(picture) for picture in context.decode(av.Packet(frame))]
    shown += [i420(picture) for picture in context.decode(None)]
    return shown


def hide(frame: bytes) -> bytes:
    """Returns the frame with show_frame = 0 (RFC 6386, 9.1)."""
    return bytes([frame[0] & ~0x10]) + frame[1:]


def states(frames: Iterable[bytes]) -> Iterator[tuple[codec.State, Raster]]:
    """Yields the state after, and the raster of, every frame of a stream."""
    state = None
    for frame in frames:
        decoded = codec.decode(state, frame)
        state = decoded.state
        yield decoded.state, decoded.raster


def shown_rasters(frames: Sequence[bytes]) -> list[bytes]:
    """Returns the I420 bytes of every shown frame, as our codec decodes them."""
    return [
        raster.i420()
        for frame, (_, raster) in zip(frames, states(frames), strict=True)
        if codec.is_shown(frame)
    ]


def read_ivf(path: Path) -> list[bytes]:
    """Returns the frames of an IVF file."""
    data = path.read_bytes()
    if data[:8] != b"DKIF\0\0\x20\0":
        raise ValueError(f"{path} is not an IVF file")
    frames, position = [], 32
    while position < len(data):
        (size,) = struct.unpack_from("<I", data, position)
        frames.append(data[position + 12 : position + 12 + size])
        position += 12 + size
    return frames


def write_ivf(path: Path, frames: Sequence[bytes]) -> None:
    """Writes frames as an IVF file, for the native test programs."""
    header = codec.read_header(frames[0])
    with path.open("wb") as out:
        size = (header.width or 0, header.height or 0)
        out.write(
            b"DKIF" + struct.pack("<HH4sHHIIII", 0, 32, b"VP80", *size, 25, 1, len(frames), 0)
        )
        for pts, frame in enumerate(frames):
            out.write(struct.pack("<IQ", len(frame), pts) + frame)


def md5(data: bytes) -> str:
    """Returns the MD5 of the bytes, in hexadecimal."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
