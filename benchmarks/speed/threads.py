"""The gain from more threads: wall time of the three operations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import codec
from benchmarks.common.timing import Run, Spent, interleaved, ratio, spread
from benchmarks.speed.rebase import rebased, run_of
from benchmarks.speed.streams import RATES, Source, Stream, stream_of
from excamera.job.encoders import QI_OF_CRF

THREADS = (1, 2, 4, 6)
SIZES = ("1080p", "2160p")
RATE = "high"
OPERATIONS = ("decode", "rebase", "encode")
_ENCODED = 2


def _operations(stream: Stream, cache: Path, threads: int) -> Run:
    """Returns one turn of all three: decode and rebase as in rebase.py, then a few encodes."""
    pictures = stream.source.pictures
    state = codec.decode_chunk(None, stream.frames[:1])[0].state
    rasters = [pictures.raster(number) for number in range(1, 1 + _ENCODED)]
    rebasing = run_of(stream, cache, threads)
    qi = QI_OF_CRF[stream.crf]

    def run() -> dict[str, Spent]:
        spent = Spent()
        with spent.more():
            for raster in rasters:
                codec.encode_inter_frame(state, raster, qi, threads=threads)
        both = {**rebasing(), "encode": spent}
        return {f"{name} {threads}": both[name] for name in OPERATIONS}

    return run


def measure(sources: Callable[[], Iterator[Source]], rounds: int, cache: Path) -> dict[str, Any]:
    """Returns wall times by size, operation and threads, up to this machine's CPUs."""
    cpus = os.cpu_count() or 1
    used = [threads for threads in THREADS if threads <= cpus]
    result: dict[str, Any] = {
        "cpus": cpus,
        "threads": used,
        "left_out": [threads for threads in THREADS if threads > cpus],
        "rate": RATE,
        "sizes": {},
    }
    for source in sources():
        if source.sized.size not in SIZES:
            continue
        stream = stream_of(source, RATES[RATE], cache)
        frames = {
            "decode": len(rebased(stream)) - 1,
            "rebase": len(rebased(stream)) - 1,
            "encode": _ENCODED,
        }
        runs = map(partial(_operations, stream, cache), used)
        spent = interleaved(rounds, runs)
        walls = {name: [one.wall_s for one in turns] for name, turns in spent.items()}
        result["sizes"][source.sized.size] = {
            "source": source.to_json(),
            "stream": stream.to_json(),
            "operations": {
                name: {
                    str(threads): {
                        "wall_ms": spread(
                            [1000 * s / frames[name] for s in walls[f"{name} {threads}"]]
                        ),
                        "speedup": ratio(walls[f"{name} {threads}"], walls[f"{name} 1"]),
                    }
                    for threads in used
                }
                for name in OPERATIONS
            },
        }
        print(f"threads {source.sized.size}: {used}", flush=True)
    return result
