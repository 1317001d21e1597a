"""Debian's vpxdec (package vpx-tools) as a contender."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.common.timing import Spent

_SUMMARY = re.compile(r"(\d+) decoded frames/\d+ showed frames in (\d+) us")


def version() -> str | None:
    """Returns the line that names its VP8 decoder; None if it is not installed."""
    if shutil.which("vpxdec") is None:
        return None
    done = subprocess.run(["vpxdec", "--help"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in lines if "VP8 Decoder" in line), "unknown")


def _run(path: Path, *options: str) -> tuple[float, str]:
    """Returns one process's CPU seconds, and what it wrote."""
    command = ["vpxdec", "--codec=vp8", "--threads=1", *options, str(path)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr as errors:
        wrote = errors.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, wrote


def decode(path: Path, frames: int) -> Spent:
    """Decodes an IVF file and discards the pictures.

    The wall time is vpxdec's own figure, which counts only the decoder's calls. The CPU time is
    that of the process, minus that of one that reads the same file and skips every frame.

    Raises:
        RuntimeError: it did not decode that many frames.
    """
    nothing, _ = _run(path, "--noblit", f"--skip={frames}")
    everything, wrote = _run(path, "--noblit", "--summary")
    found = _SUMMARY.search(wrote)
    if found is None or int(found[1]) != frames:
        raise RuntimeError(f"vpxdec on {path.name}: {wrote}")
    return Spent(cpu_s=max(everything - nothing, 1e-6), wall_s=int(found[2]) / 1e6)


def md5(path: Path) -> str:
    """Returns the MD5 of all pictures."""
    done = subprocess.run(
        ["vpxdec", "--codec=vp8", "--md5", "--i420", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[0]
