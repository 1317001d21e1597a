"""Measures the executor of mu beside `concurrent.futures` and Lithops' localhost mode.

    python -m benchmarks.workers [--only SECTION ...] [--quick] [--rounds N] [--render]

Writes benchmarks/results/workers.json and, from it, docs/workers.md. With --quick, which only tests
that the benchmark works, it writes build/benchmarks/workers-quick.json and .md instead. Without
build/lithops, which `make bench-workers` sets up, Lithops is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.common.circumstances import CACHE, RESULTS, ROOT, code_digest, cpu_model, git
from benchmarks.workers import calls, lithops_peer, many, start
from benchmarks.workers.report import render
from mu.machine import available_cpus

RESULT = RESULTS / "workers.json"
PAGE = ROOT / "docs" / "workers.md"
QUICK_RESULT, QUICK_PAGE = CACHE / "workers-quick.json", CACHE / "workers-quick.md"
CODE = ("mu",)
COUNTS = (1, 2, 4, 8, 16)


def _calls(rounds: int, quick: bool) -> dict[str, Any]:
    workers = available_cpus()
    with contextlib.ExitStack() as stack:
        lithops = None
        if lithops_peer.available():
            lithops = stack.enter_context(lithops_peer.Lithops(workers))
        found = calls.measure(workers, rounds, quick, lithops)
        first = None if lithops is None else round(lithops.start_s, 3)
    return {"workers": workers, "kinds": found, "lithops_start_s": first}


def sections(rounds: int, quick: bool) -> Mapping[str, Callable[[], dict[str, Any]]]:
    """Returns the measurements by name, in order."""
    return {
        "calls": lambda: _calls(rounds, quick),
        "start": lambda: {"found": start.measure(COUNTS[:2] if quick else COUNTS, rounds)},
        "many": lambda: {"found": many.measure(available_cpus(), min(rounds, 3), quick)},
    }


def circumstances(rounds: int, quick: bool) -> dict[str, Any]:
    """Returns what the figures depend on."""
    return {
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", *CODE)),
        "code_sha256": code_digest(CODE),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "rounds": rounds,
        "quick": quick,
        "python": platform.python_version(),
        "lithops": _version_of_lithops(),
    }


def _version_of_lithops() -> str:
    pins = Path(__file__).with_name("lithops.txt").read_text().split()
    return next(pin.partition("==")[2] for pin in pins if pin.startswith("lithops=="))


def main() -> int:
    """Measures the requested sections; writes results and page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.workers",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = list(sections(1, True))
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--quick", action="store_true", help="few calls, two rounds")
    parser.add_argument("--rounds", type=int, help="rounds of timed work; 9 without --quick")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 9)
    path, page = (QUICK_RESULT, QUICK_PAGE) if arguments.quick else (RESULT, PAGE)
    path.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    measured = {} if arguments.render else sections(rounds, arguments.quick)
    for name, measure in measured.items():
        if name not in arguments.only:
            continue
        made, started = circumstances(rounds, arguments.quick), time.monotonic()
        found = measure()
        made["load_after"] = round(os.getloadavg()[0], 2)
        made["seconds"] = round(time.monotonic() - started)
        result[name] = {"circumstances": made, **found}
        result = {name: result[name] for name in names if name in result}
        path.write_text(json.dumps(result, indent=1) + "\n")
    page.write_text(render(result))
    print(f"{page.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
