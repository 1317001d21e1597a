"""How long the whole command takes: `excamera encode`, beside libvpx as `ffmpeg` would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import films
from benchmarks.common.circumstances import ROOT
from benchmarks.common.timing import Spent, interleaved, ratio, spread
from benchmarks.speed.played import CRF, Played, mp4_of, mp4_to_json
from benchmarks.speed.streams import RATE_HZ
from excamera.media.compare import compare_files
from excamera.media.quality import summarise
from mu.machine import available_cpus

OURS, THEIRS = "excamera encode", "libvpx"
SIZES = films.SIZES[:2]
THEIR_CRF = 10
"""The finest quality that libvpx may choose. How much it uses of it is up to the bit rate, which is
that of our result: in one pass, libvpx does not hold to `crf` for the first 150 frames."""


def _run(command: Sequence[str | Path]) -> tuple[Spent, str]:
    """Runs a command.

    Returns:
        Its time, that of its own children included, and what it printed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as output:
        wrote = output.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {wrote}")
    return Spent(usage.ru_utime + usage.ru_stime, wall), wrote


def encode_ours(source: Path, target: Path, crf: int) -> dict[str, Spent]:
    """Runs our command, from its start to its end."""
    program = "import sys; from excamera.cli import main; sys.exit(main())"
    options = ("--crf", str(crf), "--overwrite")
    command = (sys.executable, "-c", program, "encode", source, target, *options)
    return {OURS: _run(command)[0]}


def encode_theirs(source: Path, target: Path, bit_rate: int) -> dict[str, Spent]:
    """Runs libvpx in a process of its own, whose clock starts when everything is loaded."""
    child = ("-m", "benchmarks.speed.command_child")
    _, wrote = _run((sys.executable, *child, source, target, str(THEIR_CRF), str(bit_rate)))
    return {THEIRS: Spent(**json.loads(wrote.splitlines()[-1]))}


def _quality(source: Path, target: Path) -> dict[str, float]:
    luma = summarise(list(compare_files(str(source), str(target))))["y"]
    return {
        "bytes": target.stat().st_size,
        "psnr_y_db": round(luma.psnr_db, 3),
        "ssim_y": round(luma.ssim, 5),
    }


def measure(clips: Iterable[Played], rounds: int, cache: Path) -> dict[str, dict[str, Any]]:
    """Returns figures by size and clip."""
    found: dict[str, dict[str, Any]] = {}
    for clip in clips:
        source = mp4_of(clip, cache)
        targets = {OURS: cache / "command-ours.webm", THEIRS: cache / "command-libvpx.webm"}
        encode_ours(source, targets[OURS], CRF)
        bit_rate = round(8 * targets[OURS].stat().st_size * RATE_HZ / clip.frames)
        spent = interleaved(
            rounds,
            [
                partial(encode_ours, source, targets[OURS], CRF),
                partial(encode_theirs, source, targets[THEIRS], bit_rate),
            ],
        )
        row: dict[str, Any] = {
            "source": clip.to_json() | mp4_to_json(source),
            "crf": CRF,
            "their_crf": THEIR_CRF,
            "their_bit_rate": bit_rate,
            "frames": clip.frames,
            "cpus": available_cpus(),
            "contenders": {
                name: {
                    "wall_s": spread([one.wall_s for one in spent[name]]),
                    "cpu_s": spread([one.cpu_s for one in spent[name]]),
                    **_quality(source, target),
                }
                for name, target in targets.items()
            },
            # Ours against theirs: less is better.
            "wall_share": ratio(*([one.wall_s for one in spent[n]] for n in (THEIRS, OURS))),
        }
        print(f"command {clip.size} {clip.name}: {row['wall_share']}", flush=True)
        found.setdefault(clip.size, {})[clip.name] = row
    return found
