"""The streams to compare with: single-threaded `vpxenc` (Debian vpx-tools), in three settings."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

CQ_LEVELS = (12, 20, 30, 40, 50)

_COMMON = (
    "--codec=vp8",
    "--ivf",
    "--quiet",
    "--passes=2",
    "--auto-alt-ref=1",
    "--threads=1",
    "--tune=ssim",
    "--kf-max-dist=9999",
    # More than any clip can use: only the quality level decides.
    "--target-bitrate=4294967295",
)


def _paper(level: int) -> tuple[str, ...]:
    return (*_COMMON, "--good", "--cpu-used=0", "--end-usage=cq", f"--cq-level={level}")


def _best_with_altref(level: int) -> tuple[str, ...]:
    return (*_COMMON, "--best", "--lag-in-frames=25", "--end-usage=cq", f"--cq-level={level}")


def _one_quantizer(level: int) -> tuple[str, ...]:
    # vpxenc asks whether equal quantizers are intended: they are.
    return (*_paper(level), f"--min-q={level}", f"--max-q={level}", "--disable-warning-prompt")


PEERS: Mapping[str, Callable[[int], tuple[str, ...]]] = {
    "vpxenc": _paper,
    "vpxenc best, altref": _best_with_altref,
    "vpxenc one quantizer": _one_quantizer,
}


def vpxenc_version() -> str:
    """Returns the VP8 encoder line of `vpxenc --help`.

    Raises:
        FileNotFoundError: vpxenc is not installed.
    """
    if shutil.which("vpxenc") is None:
        raise FileNotFoundError("vpxenc is not installed (Debian: apt-get install vpx-tools)")
    text = subprocess.run(["vpxenc", "--help"], capture_output=True, text=True, check=False)
    lines = (text.stdout + text.stderr).splitlines()
    return next((line.strip() for line in lines if "VP8 Encoder" in line), "unknown")


def encode(peer: str, level: int, source: Path, source_sha256: str, cache: Path) -> Path:
    """Returns the peer's IVF for one source and level; encodes it if the cache lacks it."""
    options = PEERS[peer](level)
    key = "\n".join((vpxenc_version(), source_sha256, *options))
    path = cache / f"peer-{hashlib.sha256(key.encode()).hexdigest()[:24]}.ivf"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        subprocess.run(["vpxenc", *options, "-o", str(partial), str(source)], check=True)
        partial.replace(path)
    return path
