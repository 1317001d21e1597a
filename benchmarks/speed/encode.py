"""How fast we encode against a given state, beside libvpx; and a chunk's first frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

import codec
from benchmarks.common.timing import Run, Spent, cpu_ratio, interleaved, spread, summary
from benchmarks.common.y4m import Pictures
from benchmarks.speed.streams import (
    FIRST_FRAMES,
    RATE_HZ,
    RATES,
    Source,
    open_source,
)
from excamera.job.encoders import QI_OF_CRF
from excamera.job.options import EncodeOptions
from excamera.media.chunk_encoder import encode_chunk, vpx_options
from excamera.media.quality import mse, psnr_db

OURS, THEIRS = "ours", "libvpx"
FIRST_FRAME = codec.EncodeSettings(refresh_golden=True, refresh_altref=True)
"""How a re-encoded first frame changes the references, as in excamera.media.join."""


def _ours(pictures: Pictures, options: EncodeOptions, count: int) -> tuple[Run, list[bytes]]:
    """Encodes a key frame, untimed, then inter frames, each against the state before it."""
    rasters = [pictures.raster(number) for number in range(count + 1)]
    key_qi = QI_OF_CRF[max(0, options.crf + options.vpx.key_frame_q_offset)]
    key = codec.encode_key_frame(rasters[0], key_qi)
    coded: list[bytes] = []

    def run() -> dict[str, Spent]:
        spent, state = Spent(), key.state
        coded[:] = [key.frame]
        for raster in rasters[1:]:
            with spent.more():
                frame, state = codec.encode_inter_frame(state, raster, QI_OF_CRF[options.crf])
            coded.append(frame)
        return {OURS: spent}

    return run, coded


def _libvpx(pictures: Pictures, options: EncodeOptions, count: int) -> tuple[Run, list[bytes]]:
    """Encodes with the chunk encoder's settings: `good`, cpu-used 0, no lag, one quantizer."""
    frames = [pictures.frame(number) for number in range(count + 1)]
    coded: list[bytes] = []

    def run() -> dict[str, Spent]:
        context = av.CodecContext.create("libvpx", "w")
        context.width, context.height = pictures.width, pictures.height
        context.pix_fmt = "yuv420p"
        context.framerate, context.time_base = Fraction(RATE_HZ), Fraction(1, RATE_HZ)
        context.thread_count = 1
        context.bit_rate = 1_000_000_000
        context.options = vpx_options(options)
        spent, packets = Spent(), []
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, context.time_base
            with spent.more() if number else Spent().more():
                packets.extend(context.encode(frame))
        coded[:] = [bytes(packet) for packet in packets]
        if len(coded) != len(frames):
            raise RuntimeError(f"libvpx returned {len(coded)} frames of {len(frames)} at once")
        return {THEIRS: spent}

    return run, coded


def _size_and_quality(pictures: Pictures, coded: Sequence[bytes]) -> dict[str, float]:
    """Returns the bytes and luma PSNR of the inter frames."""
    state, errors = codec.decode(None, coded[0]).state, []
    for number, frame in enumerate(coded[1:], start=1):
        decoded = codec.decode_chunk(state, [frame])[0]
        state = decoded.state
        errors.append(mse(pictures.planes(number)[0], decoded.raster.planes()[0]))
    psnr = psnr_db(sum(errors) / len(errors))
    return {"bytes": sum(map(len, coded[1:])), "psnr_y_db": round(psnr, 3)}


def measure(
    sources: Callable[[], Iterator[Source]], rounds: int, _cache: Path
) -> dict[str, dict[str, Any]]:
    """Returns figures by size and rate."""
    found: dict[str, dict[str, Any]] = {}
    for source in sources():
        for rate, crf in RATES.items():
            options, count = EncodeOptions(crf=crf), source.sized.encoded_frames
            ours, our_coded = _ours(source.pictures, options, count)
            theirs, their_coded = _libvpx(source.pictures, options, count)
            spent = interleaved(rounds, [ours, theirs])
            row: dict[str, Any] = {
                "source": source.to_json(),
                "crf": crf,
                "y_ac_qi": QI_OF_CRF[crf],
                "frames": count,
                "contenders": {
                    name: summary(spent[name], count) | _size_and_quality(source.pictures, coded)
                    for name, coded in ((OURS, our_coded), (THEIRS, their_coded))
                },
                "ratio": cpu_ratio(spent[OURS], spent[THEIRS]),
            }
            print(f"encode {source.sized.size} {rate}: {row['ratio']}", flush=True)
            found.setdefault(source.sized.size, {})[rate] = row
    return found


def measure_first_frames(quick: bool, rounds: int, media: Path, cache: Path) -> dict[str, Any]:
    """Times the re-encoding of the first frames of chunks of six, at 1920x1072."""
    source = open_source(FIRST_FRAMES, media, cache)
    pictures, options = source.pictures, EncodeOptions(chunk_frames=6, mode="rebase")
    states, rasters = [], []
    count = len(pictures) // options.chunk_frames
    for chunk in range(1, 3 if quick else count):
        first = chunk * options.chunk_frames
        before = range(first - options.chunk_frames, first)
        coded = encode_chunk(map(pictures.frame, before), options)
        states.append(codec.decode_chunk(None, coded)[-1].state)
        rasters.append(pictures.raster(first))
    single: list[Spent] = []

    def run() -> dict[str, Spent]:
        for state, raster in zip(states, rasters, strict=True):
            spent = Spent()
            with spent.more():
                codec.encode_inter_frame(state, raster, options.first_frame_qi, FIRST_FRAME)
            single.append(spent)
        return {}

    interleaved(rounds, [run])
    found = {
        "source": source.to_json(),
        "crf": options.crf,
        "y_ac_qi": options.first_frame_qi,
        "first_frames": len(states),
        "rounds": rounds,
        "cpu_ms": spread([1000 * spent.cpu_s for spent in single]),
        "wall_ms": spread([1000 * spent.wall_s for spent in single]),
    }
    print(f"first frame {FIRST_FRAMES.size}: {found['cpu_ms']}", flush=True)
    return found
