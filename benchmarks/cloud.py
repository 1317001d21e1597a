"""Measures what a job pays for running in the cloud, and the memory of its functions.

    python -m benchmarks.cloud [--only overhead|memory] [--sizes NAME ...] [--render]

Both are measured on the emulator of AWS (tests/emulator). Writes benchmarks/results/cloud.json
and, from it, docs/cloud-overhead.md. Without the folder of clips, generated ones are used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import av

from benchmarks import cloud_memory, cloud_overhead
from benchmarks.cloud_report import render

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "benchmarks"
RESULT = ROOT / "benchmarks" / "results" / "cloud.json"
PAGE = ROOT / "docs" / "cloud-overhead.md"

CODE = ("codec", "mu", "excamera", "functions", "stacks", "cdk.json", "tests/emulator")


def code_digest() -> str:
    """Returns a digest of everything of ours that decides the figures."""
    digest = hashlib.sha256()
    for part in CODE:
        for path in sorted([ROOT / part, *(ROOT / part).rglob("*")]):
            if path.suffix in (".py", ".cc", ".h", ".txt", ".json") and path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "")


def _emulator() -> str:
    """Names and versions of the emulator's two servers."""
    pins = [
        line.split()[0].replace("==", " ")
        for file in ("ministack.txt", "states.txt")
        for line in (ROOT / "tests" / "emulator" / file).read_text().splitlines()
        if line.startswith(("ministack==", "localstack-core=="))
    ]
    return ", ".join(pins)


def circumstances() -> dict[str, Any]:
    """Returns what the figures depend on besides the sources."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", *CODE)),
        "code_sha256": code_digest(),
        "cpu": _cpu_model(),
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
    """Measures what is asked for and writes results and page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = [size.name for size in cloud_memory.SIZES]
    parser.add_argument("--only", choices=("overhead", "memory"))
    parser.add_argument("--repeats", type=int, default=3, help="runs of each timed job")
    parser.add_argument("--sizes", nargs="*", choices=names, default=names)
    parser.add_argument(
        "--frames", type=int, default=cloud_memory.FRAMES, help="of the sources of memory figures"
    )
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    if not arguments.render and arguments.only != "memory":
        made = circumstances()
        result["overhead"] = {
            "circumstances": made,
            **cloud_overhead.measure(CACHE, arguments.repeats),
        }
        _write(result)
    if not arguments.render and arguments.only != "overhead":
        memory = result.setdefault("memory", {"sizes": {}, "growth": []})
        memory["circumstances"] = circumstances()
        memory["configured_mb"] = cloud_memory.configured_mb()
        if names[0] in arguments.sizes:
            memory["growth"] = cloud_memory.measure_growth(arguments.media, CACHE)
        for size in cloud_memory.SIZES:
            if size.name in arguments.sizes:
                memory["sizes"][size.name] = {
                    "code_sha256": memory["circumstances"]["code_sha256"],
                    **cloud_memory.measure_size(size, arguments.frames, arguments.media, CACHE),
                }
                memory["sizes"] = {n: memory["sizes"][n] for n in names if n in memory["sizes"]}
                _write(result)
    _write(result)
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
