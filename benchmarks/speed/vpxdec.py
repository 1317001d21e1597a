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
    """The line that names its VP8 decoder; None where it is not installed."""
    if shutil.which("vpxdec") is None:
        return None
    done = subprocess.run(["vpxdec", "--help"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return next((line.strip() for line in lines if "VP8 Decoder" in line), "unknown")


def _run(path: Path, *options: str) -> tuple[float, str]:
    """CPU seconds of one process, and what it wrote."""
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
    """Decodes an IVF file and throws the pictures away.

    Its own figure of wall time counts the calls of the decoder alone. Its CPU time is that of
    the process, less that of one that reads the same file and skips every frame.

    Raises:
        RuntimeError: it did not decode so many frames.
    """
    nothing, _ = _run(path, "--noblit", f"--skip={frames}")
    everything, wrote = _run(path, "--noblit", "--summary")
    found = _SUMMARY.search(wrote)
    if found is None or int(found[1]) != frames:
        raise RuntimeError(f"vpxdec on {path.name}: {wrote}")
    return Spent(cpu_s=max(everything - nothing, 1e-6), wall_s=int(found[2]) / 1e6)


def md5(path: Path) -> str:
    """MD5 of all pictures."""
    done = subprocess.run(
        ["vpxdec", "--codec=vp8", "--md5", "--i420", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[0]
