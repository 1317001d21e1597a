"""Measures what a long film costs before and beside its picture.

    python -m benchmarks.long [--only SECTION ...] [--quick] [--rounds N]

Writes benchmarks/results/long.json. With --quick, which only tests that the benchmark works, it
writes build/benchmarks/long-quick.json instead. Films are kept in build/benchmarks/long.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import av

from benchmarks.common.circumstances import (
    CACHE,
    MEDIA,
    RESULTS,
    ROOT,
    code_digest,
    cpu_model,
    git,
)
from benchmarks.long import aac, index, sound

RESULT, QUICK_RESULT = RESULTS / "long.json", CACHE / "long-quick.json"
CODE = ("excamera", "mu")


def sections(rounds: int, quick: bool) -> Mapping[str, Callable[[], dict[str, Any]]]:
    """Returns the measurements by name, in order."""
    films = CACHE / "long"
    return {
        "sound": lambda: sound.measure(films, MEDIA, rounds, quick),
        "aac": lambda: aac.measure(MEDIA, rounds, quick),
        "index": lambda: index.measure(films, rounds, quick),
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
        "pyav": av.__version__,
    }


def main() -> int:
    """Measures the requested sections and writes the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = list(sections(1, True))
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--quick", action="store_true", help="short films, one round")
    parser.add_argument("--rounds", type=int, help="rounds of timed work; 3 without --quick")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    path = QUICK_RESULT if arguments.quick else RESULT
    path.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name, measure in sections(rounds, arguments.quick).items():
        if name not in arguments.only:
            continue
        made, started = circumstances(rounds, arguments.quick), time.monotonic()
        found = measure()
        made["load_after"] = round(os.getloadavg()[0], 2)
        made["seconds"] = round(time.monotonic() - started)
        result[name] = {"circumstances": made, **found}
        result = {name: result[name] for name in names if name in result}
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result[name], indent=1))
    print(f"{path.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
