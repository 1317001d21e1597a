"""Measures the encoders of VP9, AV1 and H.264 as plain chunks use them: time, size, memory.

    python -m benchmarks.speed.plain [--frames N] [--memory] [--only CODEC]

`make bench-plain` runs it. It writes benchmarks/results/plain.json: for each codec and each step of
its scale of speed, CPU seconds and bits of a megapixel and the luma PSNR, at the codec's usual
`crf`; and at the usual speed with `crf` 8 higher. The constants in `excamera/price/plain.py` are
from it, and a test compares them. With --only it prints the figures of one codec instead, and with
--memory the largest resident memory of a process that encodes so many frames of 1080p and 2160p.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from av.video.frame import VideoFrame

from benchmarks.common.circumstances import CACHE, MEDIA, RESULTS, cpu_model
from benchmarks.common.films import SIZES, Size, source_of
from excamera.job.codecs import CODECS, VP8
from excamera.job.encoders import H264_PRESETS
from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.media.plain import check_plain, decoded_plain, encode_plain
from excamera.media.quality import frame_quality, psnr_db
from excamera.media.source.picture import planes_of

_RATE = Fraction(24)
_SPEEDS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "vp9": ("vp9_cpu_used", tuple(range(6))),
    "av1": ("av1_preset", tuple(range(13))),
    "h264": ("h264_preset", H264_PRESETS),
}
_SLOW = {"av1": 3}
"""Up to this step a third of the frames is enough."""


def _pictures(size: Size, frames: int) -> Iterator[VideoFrame]:
    with av.open(str(source_of(size, frames, MEDIA, CACHE))) as film:
        for frame in film.decode(video=0):
            yield frame.reformat(format="yuv420p")


def _measured(options: EncodeOptions, size: Size, frames: int) -> dict[str, float]:
    pictures = list(_pictures(size, frames))
    geometry = Geometry(size.width, size.height)
    started = time.process_time()
    chunk = encode_plain(iter(pictures), options, geometry, _RATE)
    encoded = time.process_time()
    check_plain(chunk, options.codec, frames, 1)
    checked = time.process_time()
    work = frames * size.width * size.height / 1e6
    shown = decoded_plain(chunk, options.codec, 1)
    errors = [
        frame_quality(planes_of(a), planes_of(b)).mse[0]
        for a, b in zip(pictures, shown, strict=True)
    ]
    return {
        "encode_s": round((encoded - started) / work, 5),
        "check_s": round((checked - encoded) / work, 5),
        "bits": round(8 * sum(map(len, chunk.frames)) / work),
        "psnr_db": round(psnr_db(sum(errors) / len(errors)), 2),
    }


def _memory(codec: str, size: Size, frames: int) -> int:
    """Encode in this process, and return its largest resident memory in MiB."""
    options = EncodeOptions().with_values({"codec": codec})
    encode_plain(_pictures(size, frames), options, Geometry(size.width, size.height), _RATE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--only", choices=tuple(_SPEEDS))
    given = parser.parse_args()
    report: dict[str, Any] = {"cpu": cpu_model(), "frames": given.frames}
    for codec in CODECS:
        if codec == VP8 or given.only not in (None, codec):
            continue
        usual = EncodeOptions().with_values({"codec": codec})
        if given.memory:
            for size in SIZES[1:]:
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    peak = pool.apply(_memory, (codec, size, given.frames))
                report[f"{codec} {size.name} MiB"] = peak
            continue
        name, steps = _SPEEDS[codec]
        for step in steps:
            few = isinstance(step, int) and step <= _SLOW.get(codec, -1)
            options = usual.with_values({name: step})
            found = _measured(options, SIZES[0], given.frames // 3 if few else given.frames)
            report[f"{codec} {step}"] = found
        report[f"{codec} crf + 8"] = _measured(
            replace(usual, crf=usual.crf + 8), SIZES[0], given.frames
        )
    text = json.dumps(report, indent=1)
    if given.memory or given.only:
        print(text)
    else:
        (RESULTS / "plain.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
