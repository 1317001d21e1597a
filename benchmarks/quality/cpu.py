"""CPU time of the whole pipeline against vpxenc's, at about the same quality and in turns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common.circumstances import CACHE
from benchmarks.common.serial import serial_job
from benchmarks.quality import ours, peers
from benchmarks.quality.curves import SSIM, Curves, Points

CRF = 28
"""Of our encode; the peers' levels are those that come closest to its quality."""

_PEERS = (peers.GOOD, peers.BEST)

_ROUNDS = 3
"""How often each is measured, in turns: other work on the machine only makes times longer."""


def nearest(points: Points, quality_db: float) -> Mapping[str, Any]:
    """Returns the point of a curve whose luma SSIM is closest."""
    return min(points, key=lambda point: abs(point[SSIM] - quality_db))


def measure(source: Path, frames: int, curves: Curves) -> dict[str, Any]:
    """Returns CPU seconds a frame of the pipeline, by step, and of the peers: the least of a few.

    Args:
        source: y4m file.
        frames: of the source.
        curves: of the source, to choose levels from.
    """
    quality = next(point for point in curves[ours.ANCHORS] if point["level"] == CRF)[SSIM]
    levels = {peer: nearest(curves[peer], quality)["level"] for peer in _PEERS}
    runs: list[dict[str, float]] = []
    seconds: dict[str, list[float]] = {peer: [] for peer in _PEERS}
    for _ in range(_ROUNDS):
        with serial_job(source, ours.options_of(ours.ANCHORS, CRF)) as job:
            job.run()
            runs.append({step: spent.cpu_s / frames for step, spent in job.spent.items()})
        for peer, level in levels.items():
            seconds[peer].append(peers.cpu_seconds(peer, level, source, CACHE) / frames)
    steps = min(runs, key=lambda run: sum(run.values()))
    pipeline = sum(steps.values())
    least = {peer: min(each) for peer, each in seconds.items()}
    for peer in _PEERS:
        print(f"{source.stem} {pipeline / least[peer]:.2f} of {peer}'s CPU", flush=True)
    found = {peer: {"level": levels[peer], "cpu_s": least[peer]} for peer in _PEERS}
    return {"steps": steps, "pipeline": pipeline, "peers": found}
