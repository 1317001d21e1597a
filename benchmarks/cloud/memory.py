"""The memory that each function uses, by picture size."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cloud.jobs import STEPS, deployed
from benchmarks.common.circumstances import ROOT
from benchmarks.common.clips import sha256_of
from benchmarks.common.films import Size, source_of
from excamera.job.steps import DEFAULT_MEMORY_MB
from mu.machine import available_cpus


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


def measure_size(size: Size, frames: int, media: Path, cache: Path) -> dict[str, Any]:
    """Returns every function's peaks at one picture size, on an emulator with new processes."""
    source = source_of(size, frames, media, cache)
    threads = available_cpus()
    started = time.time()
    with deployed(available_cpus()) as cloud:
        run = cloud.run(source, {})
    result = {
        "width": size.width,
        "height": size.height,
        "frames": frames,
        "source": source.name,
        "source_bytes": source.stat().st_size,
        "source_sha256": sha256_of(source),
        "threads": threads,
        "batches": len({record["event"]["batch"] for record in run.of("encode")}),
        "calls": {step: len(run.of(step)) for step in STEPS},
        "peaks_mib": run.peaks_mib,
        "seconds": time.time() - started,
    }
    print(f"{size.name}: {run.peaks_mib} in {result['seconds']:.0f} s", flush=True)
    return result
