"""Measures size against quality: ExCamera, one whole-clip encode, and vpxenc.

    python -m benchmarks.quality.rate_distortion [--clips NAME ...] [--render]

Writes benchmarks/results/rate-distortion.json and, from it, docs/rate-distortion.md.
Streams and measurements are kept in build/benchmarks, and reused as long as nothing that
influences them changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

import codec
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
from benchmarks.quality import peers
from benchmarks.quality.report import render
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.compare import compare_files
from excamera.media.playback import read_file
from excamera.media.quality import ssim_db, summarise

RESULT = RESULTS / "rate-distortion.json"
PAGE = ROOT / "docs" / "rate-distortion.md"

CRFS = (16, 24, 32, 40)
# More frames than any clip has: a single chunk, so only libvpx and one key frame.
WHOLE_CLIP_FRAMES = 1000
SHAPES = {
    "ExCamera[6,1]": (6, 1),
    "ExCamera[6,16]": (6, 16),
    "ExCamera[24,1]": (24, 1),
    "ExCamera[24,4]": (24, 4),
    "libvpx, whole clip": (WHOLE_CLIP_FRAMES, 1),
}


@dataclass(frozen=True)
class Source:
    """A clip's y4m file and its digest."""

    clip: clips.Clip
    path: Path
    sha256: str


def encode_ours(shape: str, crf: int, source: Source, code: str) -> Path:
    """Returns our IVF for a source; encodes it if the cache lacks it."""
    chunk_frames, batch_chunks = SHAPES[shape]
    key = f"{code} {source.sha256} {chunk_frames} {batch_chunks} {crf}"
    path = CACHE / f"ours-{hashlib.sha256(key.encode()).hexdigest()[:24]}.ivf"
    if not path.exists():
        options = EncodeOptions(
            chunk_frames=chunk_frames, batch_chunks=batch_chunks, crf=crf, mode="rebase"
        )
        encode_file(str(source.path), path, options)
    return path


def measure(source: Source, stream: Path) -> dict[str, float | int]:
    """Returns a stream's size and quality; curves compare luma."""
    key = f"{source.sha256} {clips.sha256_of(stream)}"
    kept = CACHE / f"quality-{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if not kept.exists():
        frames = read_file(stream).frames
        quality = summarise(list(compare_files(str(source.path), str(stream))))
        point = {
            "bytes": sum(map(len, frames)),
            "coded_frames": len(frames),
            "key_frames": sum(map(codec.is_key_frame, frames)),
            "psnr_y_db": quality["y"].psnr_db,
            "ssim_y": quality["y"].ssim,
            "ssim_y_db": ssim_db(quality["y"].ssim),
            "psnr_db": quality["all"].psnr_db,
            "ssim": quality["all"].ssim,
        }
        kept.write_text(json.dumps(point))
    found: dict[str, float | int] = json.loads(kept.read_text())
    return found


def curves(source: Source, code: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields each encoder's points, with their levels."""
    makers: list[tuple[str, tuple[int, ...], Callable[[int], Path]]] = []
    for peer in peers.PEERS:

        def from_peer(level: int, peer: str = peer) -> Path:
            return peers.encode(peer, level, source.path, source.sha256, CACHE)

        makers.append((peer, peers.CQ_LEVELS, from_peer))
    for shape in SHAPES:

        def from_us(level: int, shape: str = shape) -> Path:
            return encode_ours(shape, level, source, code)

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
        "peers": {
            peer: " ".join(arguments(0)).replace("=0 ", "=LEVEL ")
            for peer, arguments in peers.PEERS.items()
        },
    }


def main() -> int:
    """Measures the requested clips; writes results and page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.rate_distortion",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = [clip.name for clip in clips.CLIPS]
    parser.add_argument("--clips", nargs="+", choices=names, default=names)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"clips": {}}
    if not arguments.render:
        if not arguments.media.is_dir():
            sys.exit(f"{arguments.media}: the folder of clips is missing (--media)")
        code = code_digest()
        result["circumstances"] = circumstances(code)
        for clip in clips.CLIPS:
            if clip.name not in arguments.clips:
                continue
            path = clips.source_of(clip, arguments.media, CACHE)
            source = Source(clip, path, clips.sha256_of(path))
            result["clips"][clip.name] = {
                "file": clip.file,
                "file_sha256": clips.sha256_of(arguments.media / clip.file),
                "frames": clip.frames,
                "y4m_sha256": source.sha256,
                "code_sha256": code,
                "curves": dict(curves(source, code)),
            }
        result["clips"] = {name: result["clips"][name] for name in names if name in result["clips"]}
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(result))
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
