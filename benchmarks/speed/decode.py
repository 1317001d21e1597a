"""How fast we decode, against libvpx and FFmpeg's own decoder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

import codec
from benchmarks.common.timing import Run, Spent, cpu_ratio, interleaved, summary
from benchmarks.speed import vpxdec
from benchmarks.speed.streams import RATES, Source, pieces, repeated, stream_of

OURS = "ours"
PEERS = {"libvpx": "PyAV's libvpx", "vp8": "FFmpeg's vp8"}
"""FFmpeg's names of decoders, and our names for them."""


def pyav_context(name: str) -> VideoCodecContext:
    """Returns an open decoder with one thread."""
    context = cast(VideoCodecContext, av.CodecContext.create(name, "r"))
    context.thread_count = 1
    context.open()
    return context


def _ours(frames: Sequence[bytes]) -> Run:
    def run() -> dict[str, Spent]:
        spent, state = Spent(), None
        for piece in pieces(len(frames)):
            with spent.more():
                state = codec.advance(state, frames[piece])
        return {OURS: spent}

    return run


def _pyav(name: str, frames: Sequence[bytes]) -> Run:
    packets = [av.Packet(frame) for frame in frames]

    def run() -> dict[str, Spent]:
        context, spent, shown = pyav_context(name), Spent(), 0
        with spent.more():
            for packet in [*packets, None]:
                shown += len(context.decode(packet))
        if shown != len(packets):
            raise RuntimeError(f"{name} returned {shown} frames of {len(packets)}")
        return {PEERS[name]: spent}

    return run


def _vpxdec(path: Path, frames: int) -> Run:
    return lambda: {"vpxdec": vpxdec.decode(path, frames)}


def _packed(frame: VideoFrame) -> Iterator[bytes]:
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        yield rows[: plane.height, : plane.width].tobytes()


def check_alike(path: Path, frames: Sequence[bytes]) -> str:
    """Checks that all decoders produce the same pictures.

    Returns:
        MD5 of the pictures.

    Raises:
        RuntimeError: they differ.
    """
    found: dict[str, str] = {}
    ours = hashlib.md5()
    state: codec.State | None = None
    for piece in pieces(len(frames)):
        for decoded in codec.decode_chunk(state, frames[piece]):
            ours.update(decoded.raster.i420())
            state = decoded.state
    found[OURS] = ours.hexdigest()
    for name, label in PEERS.items():
        context, theirs = pyav_context(name), hashlib.md5()
        for packet in [*map(av.Packet, frames), None]:
            for frame in context.decode(packet):
                for plane in _packed(frame):
                    theirs.update(plane)
        found[label] = theirs.hexdigest()
    if vpxdec.version() is not None:
        found["vpxdec"] = vpxdec.md5(path)
    if len(set(found.values())) != 1:
        raise RuntimeError(f"{path.name}: the decoders disagree: {found}")
    return found[OURS]


def measure(
    sources: Callable[[], Iterator[Source]], rounds: int, cache: Path
) -> dict[str, dict[str, Any]]:
    """Returns figures by size and rate."""
    found: dict[str, dict[str, Any]] = {}
    for source in sources():
        for rate, crf in RATES.items():
            stream = stream_of(source, crf, cache)
            pictures_md5 = check_alike(stream.path, stream.frames)
            path, frames = repeated(stream, cache)
            runs = [_ours(frames), *(_pyav(name, frames) for name in PEERS)]
            if vpxdec.version() is not None:
                runs.insert(1, _vpxdec(path, len(frames)))
            spent = interleaved(rounds, runs)
            ours = spent[OURS]
            row: dict[str, Any] = {
                "source": source.to_json(),
                "stream": stream.to_json(),
                "pictures_md5": pictures_md5,
                "frames": len(frames),
                "contenders": {name: summary(s, len(frames)) for name, s in spent.items()},
                "ratios": {name: cpu_ratio(ours, s) for name, s in spent.items() if name != OURS},
            }
            ratios = {name: ratio["median"] for name, ratio in row["ratios"].items()}
            print(f"decode {source.sized.size} {rate}: {ratios}", flush=True)
            found.setdefault(source.sized.size, {})[rate] = row
    return found
