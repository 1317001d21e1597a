"""CPU time of the whole pipeline against vpxenc's, at about the same quality and in turns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common.circumstances import CACHE
from benchmarks.quality import ours, peers
from benchmarks.quality.curves import SSIM, Curves, Points
from benchmarks.quality.serial import serial_job

CRF = 28
"""Of our encode; the peers' levels are those that come closest to its quality."""

_PEERS = (peers.GOOD, peers.BEST)


def nearest(points: Points, quality_db: float) -> Mapping[str, Any]:
    """Returns the point of a curve whose luma SSIM is closest."""
    return min(points, key=lambda point: abs(point[SSIM] - quality_db))


def measure(source: Path, frames: int, curves: Curves) -> dict[str, Any]:
    """Returns CPU seconds a frame of the pipeline, by step, and of the peers.

    Args:
        source: y4m file.
        frames: of the source.
        curves: of the source, to choose levels from.
    """
    quality = next(point for point in curves[ours.ANCHORS] if point["level"] == CRF)[SSIM]
    with serial_job(source, ours.options_of(ours.ANCHORS, CRF)) as job:
        job.run()
        steps = {step: spent.cpu_s / frames for step, spent in job.spent.items()}
    found: dict[str, Any] = {"steps": steps, "pipeline": sum(steps.values()), "peers": {}}
    for peer in _PEERS:
        level = nearest(curves[peer], quality)["level"]
        seconds = peers.cpu_seconds(peer, level, source, CACHE) / frames
        found["peers"][peer] = {"level": level, "cpu_s": seconds}
        print(f"{source.stem} {found['pipeline'] / seconds:.2f} of {peer}'s CPU", flush=True)
    return found
