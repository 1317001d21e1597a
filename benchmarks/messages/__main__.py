"""Measures what messages between workers take and cost.

    python -m benchmarks.messages [--only SECTION ...] [--most-mib N] [--render]

Writes benchmarks/results/messages.json and, from it, docs/messages.md. Without a Redis server or
the emulator of AWS it leaves out what needs them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.common.circumstances import RESULTS, ROOT, code_digest, cpu_model, git
from benchmarks.messages import pace, requests
from benchmarks.messages.report import render
from benchmarks.messages.server import version

RESULT = RESULTS / "messages.json"
PAGE = ROOT / "docs" / "messages.md"
SECTIONS = ("pace", "requests")
CODE = ("mu", "benchmarks/messages")


def _measured(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns what was measured, with what it depends on."""
    circumstances = {
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", *CODE)),
        "code_sha256": code_digest(CODE),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "redis": version(),
        "load_before": os.getloadavg()[0],
    }
    found = measure()
    return {"circumstances": {**circumstances, "load_after": os.getloadavg()[0]}, **found}


def main() -> int:
    """Measures the requested sections; writes results and page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.messages",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS)
    parser.add_argument("--most-mib", type=int, default=256, help="largest message")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    sections = () if arguments.render else (arguments.only or SECTIONS)
    if "pace" in sections:
        result["pace"] = _measured(lambda: {"sizes": pace.measure(arguments.most_mib << 20)})
    if "requests" in sections:
        result["requests"] = _measured(lambda: {"rows": requests.measure()})
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(render(result))
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
