"""Reading the coded frames of a WebM or Matroska file, as they are stored.

FFmpeg's demuxer cannot replace this: it drops empty blocks, which repeat the frame before, and it
reads a file that was cut off up to the cut without reporting an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from excamera.errors import ContainerError
from excamera.media.codecs import VP8, OutputCodec
from excamera.media.container import ebml

_MASTERS = frozenset({ebml.SEGMENT, ebml.CLUSTER, ebml.BLOCK_GROUP, ebml.TRACKS})


@dataclass(frozen=True, slots=True)
class WebmFrame:
    """One block of the video track: timestamp in ms, the coded bytes, the invisible flag."""

    time_ms: float
    data: bytes
    invisible: bool


def parse(data: bytes, codec: OutputCodec = VP8) -> list[WebmFrame]:
    """All frames of the first track of a codec, in file order.

    Raises:
        ContainerError: this is not Matroska, has no such track, or is cut off.
    """
    if data[:4] != ebml.identifier(ebml.EBML):
        raise ContainerError("not a WebM file")
    track: int | None = None
    scale_ms = 1.0
    cluster_time = 0
    frames: list[WebmFrame] = []
    for number, body in _elements(memoryview(data)):
        if number == ebml.TRACK_ENTRY and track is None:
            track = _track(body, codec)
        elif number == ebml.INFO:
            scale_ms = _children(body).get(ebml.TIMESTAMP_SCALE, 1_000_000) / 1e6
        elif number == ebml.TIMESTAMP:
            cluster_time = int.from_bytes(body, "big")
        elif number in (ebml.SIMPLE_BLOCK, ebml.BLOCK):
            frame = _block(body, track, cluster_time, scale_ms)
            if frame is not None:
                frames.append(frame)
    if track is None:
        raise ContainerError(f"no {codec.matroska_id} track in this file")
    return frames


def _elements(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Elements in file order; masters that matter are entered, not given."""
    at = 0
    while at < len(data):
        try:
            number, size, start = ebml.read_element(data, at)
        except IndexError as error:
            raise ContainerError(f"WebM file ends within an element at byte {at}") from error
        if number in _MASTERS:
            at = start  # enter it: its children follow
            continue
        if size == ebml.UNKNOWN_SIZE or start + size > len(data):
            raise ContainerError(f"WebM file ends within an element at byte {at}")
        yield number, data[start : start + size]
        at = start + size


def _children(body: memoryview) -> dict[int, int]:
    found = {}
    at = 0
    while at < len(body):
        number, size, start = ebml.read_element(body, at)
        found[number] = int.from_bytes(body[start : start + size], "big")
        at = start + size
    return found


def _track(body: memoryview, codec: OutputCodec) -> int | None:
    try:
        children = _children(body)
    except IndexError as error:
        raise ContainerError("damaged track entry") from error
    found = children.get(ebml.CODEC_ID, 0)
    name = found.to_bytes((found.bit_length() + 7) // 8, "big").rstrip(b"\0")
    return children.get(ebml.TRACK_NUMBER) if name == codec.matroska_id.encode() else None


def _block(
    body: memoryview, track: int | None, cluster_time: int, scale_ms: float
) -> WebmFrame | None:
    if len(body) < 4:
        raise ContainerError("damaged block")
    length = 9 - body[0].bit_length()
    if length > 8 or len(body) < length + 3:
        raise ContainerError("damaged block")
    number = int.from_bytes(body[:length], "big") & ((1 << (7 * length)) - 1)
    if number != track:
        return None
    offset = int.from_bytes(body[length : length + 2], "big", signed=True)
    flags = body[length + 2]
    if flags & 0x06:
        raise ContainerError("laced video blocks are not supported")
    time_ms = (cluster_time + offset) * scale_ms
    return WebmFrame(time_ms, bytes(body[length + 3 :]), bool(flags & 0x08))
