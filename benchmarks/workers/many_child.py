"""Sends very many items through one executor, and says how long it took and what memory it took.

python -m benchmarks.workers.many_child mu|pool map|submit ITEMS CHUNKSIZE WORKERS
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mu
from benchmarks.workers import functions


def _kib(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(field)[2].split()[0])


def main(who: str, how: str, items: int, chunksize: int, workers: int) -> None:
    """Prints seconds, and MiB by which the client's memory grew at its peak, as JSON."""
    executor = mu.Executor(workers=workers) if who == "mu" else ProcessPoolExecutor(workers)
    with executor:
        list(executor.map(functions.tiny, range(100)))
        before, begun = _kib("VmRSS:"), time.perf_counter()
        if how == "map":
            results = executor.map(functions.tiny, range(items), chunksize=chunksize)
            total = sum(results)
        else:
            futures = [executor.submit(functions.tiny, item) for item in range(items)]
            total = sum(future.result() for future in futures)
        seconds = time.perf_counter() - begun
        assert total == items * (items + 1) // 2
        print(json.dumps({"seconds": seconds, "grown_mib": (_kib("VmHWM:") - before) / 1024}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
