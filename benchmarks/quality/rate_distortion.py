"""Measures size against quality: ExCamera, its encoder in sequence, and vpxenc.

    python -m benchmarks.quality.rate_distortion [--clips NAME ...] [--processes N] [--render]

Writes benchmarks/results/rate-distortion.json and, from it, docs/rate-distortion.md. Streams and
measurements are kept in build/benchmarks, and reused as long as nothing that
influences them changes. CPU time is measured last, one encoder at a time, and always anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.common import clips
from benchmarks.common.circumstances import (
    CACHE,
    MEDIA,
    PACKAGES,
    RESULTS,
    ROOT,
    code_digest,
    cpu_model,
    git,
)
from benchmarks.common.generated import GENERATED
from benchmarks.quality import cpu, ours, peers
from benchmarks.quality.bits import bits_by_role
from benchmarks.quality.report import render
from excamera.media.compare import compare_files
from excamera.media.playback import read_file
from excamera.media.quality import FrameQuality, ssim_db, summarise

RESULT = RESULTS / "rate-distortion.json"
SPEED = RESULTS / "speed.json"
PAGE = ROOT / "docs" / "rate-distortion.md"

CLIPS = (*clips.CLIPS, *GENERATED)
CRFS = (8, 18, 28, 38, 48, 58)
EQUAL_DB = 60.0
"""Of frames without error, so that the step to them is finite."""


@dataclass(frozen=True)
class Source:
    """A clip's y4m file and its digest."""

    clip: clips.Clip
    path: Path
    sha256: str


def measure(source: Source, stream: Path) -> dict[str, Any]:
    """Returns a stream's size and quality, its pulse, and where its bits went."""
    key = f"{source.sha256} {clips.sha256_of(stream)}"
    kept = CACHE / f"point-{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if not kept.exists():
        frames = read_file(stream).frames
        compared = list(compare_files(str(source.path), str(stream)))
        quality = summarise(compared)
        steps = np.abs(np.diff([_luma_db(frame) for frame in compared]))
        point = {
            "bytes": sum(map(len, frames)),
            "coded_frames": len(frames),
            "psnr_y_db": quality["y"].psnr_db,
            "ssim_y": quality["y"].ssim,
            "ssim_y_db": ssim_db(quality["y"].ssim),
            "psnr_db": quality["all"].psnr_db,
            "ssim": quality["all"].ssim,
            "pulse_mean_db": float(steps.mean()),
            "pulse_most_db": float(steps.max()),
            "bits": bits_by_role(frames),
        }
        kept.write_text(json.dumps(point))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def _luma_db(frame: FrameQuality) -> float:
    return min(EQUAL_DB, ssim_db(frame.ssim[0]))


def curves(source: Source, code: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields each encoder's points, with their levels."""
    makers: list[tuple[str, tuple[int, ...], Callable[[int], Path]]] = []
    for peer in peers.PEERS:

        def from_peer(level: int, peer: str = peer) -> Path:
            return peers.encode(peer, level, source.path, source.sha256, CACHE)

        makers.append((peer, peers.CQ_LEVELS, from_peer))
    for shape in ours.SHAPES:

        def from_us(level: int, shape: str = shape) -> Path:
            return ours.encode(shape, level, source.path, source.sha256, code, CACHE)

        makers.append((shape, CRFS, from_us))
    for name, levels, make in makers:
        points = []
        for level in levels:
            point = {"level": level, **measure(source, make(level))}
            print(
                f"{source.clip.name:18} {name:22} {level:3} {point['bytes']:9,} bytes "
                f"{point['ssim_y_db']:7.3f} dB SSIM {point['psnr_y_db']:7.3f} dB PSNR",
                flush=True,
            )
            points.append(point)
        yield name, points


def circumstances(code: str) -> dict[str, Any]:
    """Returns what the figures depend on, apart from the clips."""
    return {
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", *PACKAGES)),
        "code_sha256": code,
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "pyav": av.__version__,
        "ffmpeg": {name: ".".join(map(str, v)) for name, v in av.library_versions.items()},
        "numpy": np.__version__,
        "vpxenc": peers.vpxenc_version(),
        "peers": {peer: " ".join(arguments("LEVEL")) for peer, arguments in peers.PEERS.items()},
    }


def _source(clip: clips.Clip, media: Path) -> Source:
    path = clips.source_of(clip, media, CACHE)
    return Source(clip, path, clips.sha256_of(path))


def measure_clip(name: str, media: Path, code: str) -> dict[str, Any]:
    """Returns all curves of one clip."""
    clip = next(clip for clip in CLIPS if clip.name == name)
    source = _source(clip, media)
    return {
        "file": clip.file,
        "generated": clip.make is not None,
        "file_sha256": clips.sha256_of(media / clip.file),
        "frames": clip.frames,
        "y4m_sha256": source.sha256,
        "code_sha256": code,
        "curves": dict(curves(source, code)),
    }


def main() -> int:
    """Measures the requested clips; writes results and page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.rate_distortion",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = [clip.name for clip in CLIPS]
    parser.add_argument("--clips", nargs="+", choices=names, default=names)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--processes", type=int, default=1, help="clips at the same time")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"clips": {}}
    if not arguments.render:
        if not arguments.media.is_dir():
            sys.exit(f"{arguments.media}: the folder of clips is missing (--media)")
        code = code_digest()
        result["circumstances"] = circumstances(code)
        with ProcessPoolExecutor(arguments.processes, get_context("spawn")) as pool:
            measured = {
                name: pool.submit(measure_clip, name, arguments.media, code)
                for name in arguments.clips
            }
            result["clips"].update({name: one.result() for name, one in measured.items()})
        for clip in CLIPS:
            if clip.name in arguments.clips:
                found = result["clips"][clip.name]
                found["cpu"] = cpu.measure(
                    _source(clip, arguments.media).path, clip.frames, found["curves"]
                )
        result["clips"] = {name: result["clips"][name] for name in names if name in result["clips"]}
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(result, json.loads(SPEED.read_text())))
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
