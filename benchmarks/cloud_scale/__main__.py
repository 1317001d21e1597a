"""Simulates jobs of all sizes in the cloud, and compares simulated jobs with the emulator's.

    python -m benchmarks.cloud_scale [--only SECTION ...] [--render]

Writes benchmarks/results/cloud-scale.json and, from it, docs/cloud-scale.md with its figure. Only
the section "measured" needs the emulator; the others give the same figures everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.cloud_scale import measured, sections
from benchmarks.cloud_scale.report import render
from benchmarks.common.circumstances import CACHE, RESULTS, ROOT, code_digest, cpu_model, git

RESULT = RESULTS / "cloud-scale.json"
PAGE = ROOT / "docs" / "cloud-scale.md"
CODE = ("mu/flow.py", "mu/fanout.py", "mu/simulation", "mu/prices.py", "excamera/job",
        "excamera/price", "benchmarks/cloud_scale")  # fmt: skip

SECTIONS: dict[str, Callable[[], Any]] = {
    "sizes": sections.sizes,
    "published": sections.published,
    "fanouts": sections.fanouts,
    "spread": sections.spread,
    "pauses": sections.pauses,
    "copies": sections.copies,
    "measured": lambda: {**_machine(), **measured.measure(CACHE)},
}


def _machine() -> dict[str, Any]:
    return {"cpu": cpu_model(), "cpus": os.cpu_count(), "load_before": os.getloadavg()[0]}


def main() -> int:
    """Simulates the requested sections; writes results, page and figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cloud_scale",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS)
    parser.add_argument("--render", action="store_true", help="only write page and figure again")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name in () if arguments.render else (arguments.only or SECTIONS):
        result[name] = SECTIONS[name]()
        result.setdefault("circumstances", {})[name] = {
            "commit": git("rev-parse", "HEAD"),
            "uncommitted_changes": bool(git("status", "--porcelain", *CODE)),
            "code_sha256": code_digest(CODE),
            "python": platform.python_version(),
        }
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{name} is done", flush=True)
    PAGE.write_text(render(result))
    if "sizes" in result:
        # What only measures and writes the page does without matplotlib.
        from benchmarks.cloud_scale.figure import FIGURE, draw

        draw(result["sizes"], ROOT / "docs" / FIGURE)
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
