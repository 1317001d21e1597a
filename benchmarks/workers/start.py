"""Start-up: how long until so many workers have each answered a call."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from typing import Any

import mu
from benchmarks.common.timing import Spent, interleaved, spread
from benchmarks.workers import functions

OURS = "mu"
METHODS = ("fork", "forkserver", "spawn")
"""Ways in which `ProcessPoolExecutor` starts its workers."""

Make = Callable[[int], Executor]


def _pool(method: str, workers: int) -> Executor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(method))


def _turn(name: str, make: Make, workers: int) -> Mapping[str, Spent]:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        executor = make(workers)
        try:
            futures = [executor.submit(functions.meet, folder, workers) for _ in range(workers)]
            assert len({future.result() for future in futures}) == workers
            return {name: Spent(wall_s=time.perf_counter() - begun)}
        finally:
            executor.shutdown()


def measure(counts: Sequence[int], rounds: int) -> dict[str, Any]:
    """Returns seconds by number of workers and contender."""
    contenders: dict[str, Make] = {OURS: lambda workers: mu.Executor(workers=workers)}
    contenders.update({method: partial(_pool, method) for method in METHODS})
    found: dict[str, Any] = {}
    for workers in counts:
        runs = [partial(_turn, name, make, workers) for name, make in contenders.items()]
        turns = interleaved(rounds, runs)
        found[str(workers)] = {
            name: spread([spent.wall_s for spent in spents]) for name, spents in turns.items()
        }
        print(f"{workers} workers: {found[str(workers)]}", flush=True)
    return found
