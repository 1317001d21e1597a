"""The streams to compare with: single-threaded `vpxenc` (Debian vpx-tools), in three settings."""

from __future__ import annotations

import hashlib
import resource
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

CQ_LEVELS = (8, 16, 26, 38, 50, 60)

Level = int | str
"""A quality level, or a word that stands for it where the options are only shown."""

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


def _paper(level: Level) -> tuple[str, ...]:
    return (*_COMMON, "--good", "--cpu-used=0", "--end-usage=cq", f"--cq-level={level}")


def _best_with_altref(level: Level) -> tuple[str, ...]:
    return (*_COMMON, "--best", "--lag-in-frames=25", "--end-usage=cq", f"--cq-level={level}")


def _one_quantizer(level: Level) -> tuple[str, ...]:
    # vpxenc asks whether equal quantizers are intended: they are.
    return (*_paper(level), f"--min-q={level}", f"--max-q={level}", "--disable-warning-prompt")


GOOD, BEST, ONE_QUANTIZER = "vpxenc", "vpxenc best, altref", "vpxenc one quantizer"

PEERS: Mapping[str, Callable[[Level], tuple[str, ...]]] = {
    GOOD: _paper,
    BEST: _best_with_altref,
    ONE_QUANTIZER: _one_quantizer,
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
        _run(options, source, partial)
        partial.replace(path)
    return path


def cpu_seconds(peer: str, level: int, source: Path, cache: Path) -> float:
    """Returns the user and system time of one encode by the peer, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    target = cache / "peer-timed.ivf"
    _run(PEERS[peer](level), source, target)
    target.unlink()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _run(options: Sequence[str], source: Path, target: Path) -> None:
    subprocess.run(["vpxenc", *options, "-o", str(target), str(source)], check=True)
