"""Very many items through one executor: seconds, and growth of the client's memory."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.common.circumstances import ROOT
from benchmarks.common.timing import spread

_CHUNKSIZE = 32


def _once(who: str, how: str, items: int, chunksize: int, workers: int) -> dict[str, float]:
    numbers = map(str, (items, chunksize, workers))
    command = [sys.executable, "-m", "benchmarks.workers.many_child", who, how, *numbers]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(workers: int, rounds: int, quick: bool) -> dict[str, Any]:
    """Returns seconds and MiB by kind of work and contender, each run in a process of its own."""
    scale = 100 if quick else 1
    found: dict[str, Any] = {}
    for how, items, chunksize in (
        ("map", 100_000 // scale, 1),
        ("map", 100_000 // scale, _CHUNKSIZE),
        ("submit", 1000 // (10 if quick else 1), 1),
    ):
        name = f"{how}, {items:,} items" + (f", chunksize {chunksize}" if how == "map" else "")
        runs: dict[str, list[dict[str, float]]] = {"mu": [], "pool": []}
        for _ in range(rounds):
            for who, done in runs.items():
                done.append(_once(who, how, items, chunksize, workers))
        found[name] = {
            who: {key: spread([one[key] for one in done]) for key in ("seconds", "grown_mib")}
            for who, done in runs.items()
        }
        print(f"{name}: {found[name]}", flush=True)
    return found
