"""Measures what running in the cloud adds to a job, and the memory of its functions.

    python -m benchmarks.cloud [--only SECTION ...] [--sizes NAME ...] [--render]

Measures all but the pace of this machine on the emulator of AWS (emulator/). Writes
benchmarks/results/cloud.json and, from it, docs/cloud-overhead.md. Without the folder of clips it
leaves out the pace and uses generated clips for the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import av

from benchmarks.cloud import estimate, memory, overhead, pace
from benchmarks.cloud.report import render
from benchmarks.common import films
from benchmarks.common.circumstances import CACHE, MEDIA, RESULTS, ROOT, code_digest, cpu_model, git

RESULT = RESULTS / "cloud.json"
PAGE = ROOT / "docs" / "cloud-overhead.md"

SECTIONS = ("overhead", "memory", "pace", "estimate")
CODE = ("codec", "mu", "excamera", "functions", "stacks", "cdk.json", "emulator")


def _emulator() -> str:
    """Returns the names and versions of the emulator's two servers."""
    pins = [
        line.split()[0].replace("==", " ")
        for file in ("ministack.txt", "states.txt")
        for line in (ROOT / "emulator" / file).read_text().splitlines()
        if line.startswith(("ministack==", "localstack-core=="))
    ]
    return ", ".join(pins)


def circumstances() -> dict[str, Any]:
    """Returns what the figures depend on, apart from the sources."""
    return {
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", *CODE)),
        "code_sha256": code_digest(CODE),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "pyav": av.__version__,
        "emulator": _emulator(),
    }


def _write(result: dict[str, Any]) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(render(result))


def main() -> int:
    """Measures the requested sections; writes results and page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cloud",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = [size.name for size in films.SIZES]
    parser.add_argument("--only", nargs="+", choices=SECTIONS)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each timed job")
    parser.add_argument("--sizes", nargs="*", choices=names, default=names)
    parser.add_argument(
        "--frames", type=int, default=films.FRAMES, help="frames of the sources for memory figures"
    )
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    sections = () if arguments.render else (arguments.only or SECTIONS)
    repeats, media = arguments.repeats, arguments.media
    if "overhead" in sections:
        result["overhead"] = {
            "circumstances": circumstances(),
            **overhead.measure(CACHE, repeats),
        }
        _write(result)
    if "pace" in sections and media.exists():
        result["pace"] = {
            "circumstances": circumstances(),
            **pace.measure(media, CACHE, repeats),
        }
        _write(result)
    if "estimate" in sections:
        result["estimate"] = {
            "circumstances": circumstances(),
            "repeats": repeats,
            "jobs": estimate.measure(media, CACHE, repeats),
        }
        _write(result)
    if "memory" in sections:
        found = {
            "circumstances": circumstances(),
            "configured_mb": memory.configured_mb(),
            "sizes": {},
        }
        for size in films.SIZES:
            if size.name in arguments.sizes:
                found["sizes"][size.name] = {
                    "code_sha256": found["circumstances"]["code_sha256"],
                    **memory.measure_size(size, arguments.frames, media, CACHE),
                }
        result["memory"] = found
    _write(result)
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
