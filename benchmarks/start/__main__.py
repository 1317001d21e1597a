"""Measures how the functions begin: sizes of code and layers, and the time of their imports.

    python -m benchmarks.start [--quick] [--rounds N] [--render]

Writes benchmarks/results/start.json and, from it, docs/start.md. With --quick, which only tests
that the benchmark works, it writes build/benchmarks/start-quick.json and .md instead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore

from benchmarks.common.circumstances import CACHE, RESULTS, ROOT, code_digest, cpu_model, git
from benchmarks.start import imports
from benchmarks.start.report import render

RESULT = RESULTS / "start.json"
PAGE = ROOT / "docs" / "start.md"
QUICK_RESULT, QUICK_PAGE = CACHE / "start-quick.json", CACHE / "start-quick.md"
CODE = ("codec", "mu", "excamera", "functions", "layers")


def template(folder: Path, **context: Any) -> dict[str, Any]:
    """The template of a stack with all functions, for this machine."""
    from stacks.node import use_own_node

    use_own_node()
    from stacks.app import synthesise

    settings = json.loads((ROOT / "cdk.json").read_text())["context"] | context
    return synthesise(settings, folder)


def target() -> dict[str, str]:
    """The processor and the Python of this machine, as the stack's settings name them."""
    machine = platform.machine()
    return {
        "architecture": "arm64" if machine in ("aarch64", "arm64") else "x86_64",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def main() -> int:
    """Measures, and writes results and page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--rounds", type=int, help="processes for each function; 9 without --quick")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 9)
    path, page = (QUICK_RESULT, QUICK_PAGE) if arguments.quick else (RESULT, PAGE)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not arguments.render:
        made: dict[str, Any] = {
            "commit": git("rev-parse", "HEAD"),
            "uncommitted_changes": bool(git("status", "--porcelain", *CODE)),
            "code_sha256": code_digest(CODE),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "cpu": cpu_model(),
            "cpus": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 2),
            "rounds": rounds,
            "quick": arguments.quick,
            "botocore": botocore.__version__,
        }
        with tempfile.TemporaryDirectory() as folder:
            written = template(Path(folder), webhook_url="https://films.example/ended", **target())
        found = imports.measure(written, rounds, **target())
        made["load_after"] = round(os.getloadavg()[0], 2)
        result = {"imports": {"circumstances": made, **found}}
        path.write_text(json.dumps(result, indent=1) + "\n")
    page.write_text(render(json.loads(path.read_text())))
    print(f"{page.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
