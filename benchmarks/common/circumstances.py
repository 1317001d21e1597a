"""What every figure depends on, apart from its sources: the code, the machine, the libraries."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "benchmarks"
RESULTS = ROOT / "benchmarks" / "results"
MEDIA = ROOT.parent / "shared" / "media"

PACKAGES = ("codec", "mu", "excamera")


def code_digest(parts: Sequence[str] = PACKAGES) -> str:
    """Returns a digest of the source files below these folders, or of these files."""
    digest = hashlib.sha256()
    for part in parts:
        for path in sorted([ROOT / part, *(ROOT / part).rglob("*")]):
            if path.suffix in (".py", ".cc", ".h", ".txt", ".json") and path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def git(*arguments: str) -> str:
    """Returns git's output for this repository."""
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def cpu_model() -> str:
    """Returns the processor's name, family and model: a virtual machine's name is not enough."""
    try:
        first, _, _ = Path("/proc/cpuinfo").read_text().partition("\n\n")
    except OSError:
        return platform.processor()
    fields = (line.partition(":") for line in first.splitlines())
    found = {name.strip(): value.strip() for name, _, value in fields}
    name, family = found.get("model name", ""), found.get("cpu family")
    return f"{name} (family {family}, model {found.get('model')})" if family else name
