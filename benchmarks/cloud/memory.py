"""The memory that each function uses, by picture size, by batch and by threads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cloud.jobs import Run, deployed
from benchmarks.common.circumstances import ROOT
from benchmarks.common.clips import sha256_of
from benchmarks.common.films import BATCH_CHUNKS, CHUNK_FRAMES, FRAMES, SIZES, Size, source_of
from excamera.job.steps import DEFAULT_MEMORY_MB
from mu.machine import available_cpus

# (chunks of a batch, threads); the source has 16 chunks.
GROWTH = ((4, 2), (8, 2), (16, 2), (16, 1))


def configured_mb() -> dict[str, int]:
    """Returns the memory that each function has with the settings of cdk.json."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {**DEFAULT_MEMORY_MB, **context["memory_mb"]}


@contextlib.contextmanager
def on_cpus(count: int) -> Iterator[None]:
    """Limits this process and its children to `count` CPUs."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(allowed)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _run(source: Path, batch_chunks: int, threads: int) -> Run:
    """Runs a job on an emulator of its own, so that all its processes are new."""
    texts = {"mode": "rebase", "chunk-frames": str(CHUNK_FRAMES)}
    texts["batch-chunks"] = str(batch_chunks)
    with on_cpus(threads), deployed(available_cpus()) as cloud:
        return cloud.run(source, texts)


def measure_size(size: Size, frames: int, media: Path, cache: Path) -> dict[str, Any]:
    """Returns every function's peaks at one picture size, in one batch if it has the frames."""
    source = source_of(size, frames, media, cache)
    threads = available_cpus()
    started = time.time()
    run = _run(source, BATCH_CHUNKS, threads)
    result = {
        "width": size.width,
        "height": size.height,
        "frames": frames,
        "source": source.name,
        "source_bytes": source.stat().st_size,
        "source_sha256": sha256_of(source),
        "threads": threads,
        "batches": len({record["event"]["batch"] for record in run.of("encode")}),
        "calls": {step: len(run.of(step)) for step in run.peaks_mib if step != "start"},
        "peaks_mib": run.peaks_mib,
        "seconds": time.time() - started,
    }
    print(f"{size.name}: {run.peaks_mib} in {result['seconds']:.0f} s", flush=True)
    return result


def measure_growth(media: Path, cache: Path) -> list[dict[str, Any]]:
    """Returns the rebase function's peaks at 720p, by chunks of a batch and by threads."""
    source = source_of(SIZES[0], FRAMES, media, cache)
    found = []
    for batch_chunks, threads in GROWTH:
        if threads > available_cpus():
            continue
        peaks = _run(source, batch_chunks, threads).peaks_mib["encode"]
        found.append({"batch_chunks": batch_chunks, "threads": threads, "peak_mib": max(peaks)})
        print(f"rebase: {found[-1]}", flush=True)
    return found
