"""Rebases one batch of an encoded job in a process of its own, and reports its peak memory.

    python -m benchmarks.speed.memory_child FOLDER

The folder holds a job whose batch 0 has a share for each chunk, and is not joined yet. Prints a
JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.common.serial import JOB
from excamera.job.objects import Job
from excamera.steps.encode import encode
from mu import Context, DirectoryStore
from mu.engines.stack.function import peak_memory_mib
from mu.machine import available_cpus


def main() -> int:
    """Runs the step."""
    store = DirectoryStore(Path(sys.argv[1]))
    before, started = peak_memory_mib(), time.perf_counter()
    batch = Job.load(store, JOB, 0).plan.batch(0)
    event = {"job": JOB, "batch": 0, "share": 0, "of": len(batch.chunks), "threads": 0}
    encode(event, Context(store=store))
    report = {
        "peak_mib": peak_memory_mib(),
        "peak_before_mib": before,
        "wall_s": round(time.perf_counter() - started, 2),
        "threads": available_cpus(),
        "frames": len(batch.pts),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
