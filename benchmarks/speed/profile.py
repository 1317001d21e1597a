"""Where the time goes, in instructions that callgrind counts, and their total.

Instructions are not time, but they are the same in every run, and their shares show where the
work is. For this the library is built with the line tables of debug information and with the
optimisation of the installed one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common.circumstances import ROOT
from benchmarks.speed.callgrind import Place, instructions
from benchmarks.speed.stages import by_stage, largest
from benchmarks.speed.streams import (
    OTHER_CRF,
    RATES,
    SIZED,
    Stream,
    open_source,
    stream_of,
)
from excamera.job.encoders import QI_OF_CRF

OPERATIONS = ("decode", "rebase", "encode")
BUILD = ROOT / "build" / "profile"
NATIVE = Path(__file__).parent / "native"
SOURCES = "codec/native/src"
FLAGS = f"-g1 -gdwarf-4 -B{NATIVE / 'assembler'}"
"""Line tables of a version that every valgrind reads, and the wrapped assembler of native/."""

_FRAMES = 7
_REPEATS = 2
_LARGEST = 8


class Unavailable(Exception):
    """A tool is missing; the message says which."""


def _command(*names: str) -> str:
    """Returns the first of these programs found on the path or in this Python's environment."""
    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for name in filter(None, names):
        found = shutil.which(name, path=folders)
        if found is not None:
            return found
    raise Unavailable(f"{' or '.join(filter(None, names))} is not installed")


def valgrind_version() -> str | None:
    """Returns valgrind's version; None if it is not installed."""
    if shutil.which("valgrind") is None:
        return None
    return subprocess.run(
        ["valgrind", "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _built() -> tuple[Path, Path]:
    """Builds the library with line tables, and the one that starts and stops the counting.

    Raises:
        Unavailable: a tool is missing or failed.
    """
    _command("valgrind")
    cmake = _command("cmake")
    compiler = _command(os.environ.get("CC", ""), "cc", "gcc", "clang")
    BUILD.mkdir(parents=True, exist_ok=True)
    configure = [
        *(cmake, "-S", str(ROOT / "codec" / "native"), "-B", str(BUILD)),
        *("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={_command('ninja')}"),
        *(
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DCMAKE_CXX_FLAGS={FLAGS}",
        ),
    ]
    marks = BUILD / "callgrind_marks.so"
    source = NATIVE / "callgrind_marks.c"
    for command in (
        # Valgrind's own headers come with it.
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(marks), str(source)],
        configure,
        [cmake, "--build", str(BUILD), "--target", "excamera_codec"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{command[0]} failed: {done.stdout[-800:]}{done.stderr[-800:]}")
    return BUILD / "libexcamera_codec.so", marks


def _count(
    operation: str, stream: Stream, other: Path, library: Path, marks: Path
) -> tuple[Counter[Place], str]:
    """Returns the instructions by place, and the instruction set that the codec chose."""
    output = BUILD / f"callgrind-{operation}.out"
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no"),
            f"--callgrind-out-file={output}",
            *(sys.executable, "-m", "benchmarks.speed.profile_child"),
            *(operation, str(stream.path), str(other)),
            *(str(stream.source.pictures.path), str(QI_OF_CRF[stream.crf]), str(marks)),
        ],
        cwd=ROOT,
        env={**os.environ, "EXCAMERA_CODEC_LIBRARY": str(library), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"callgrind on {operation} failed: {done.stderr[-800:]}")
    with output.open() as lines:
        return instructions(lines), done.stdout.split()[-1]


def measure(media: Path, cache: Path) -> dict[str, Any]:
    """Returns instructions by operation, rate and stage, of a few frames at 720p."""
    try:
        return _profiles(*_built(), media, cache)
    except Unavailable as missing:
        print(f"no profile: {missing}", flush=True)
        return {"missing": str(missing)}


def _profiles(library: Path, marks: Path, media: Path, cache: Path) -> dict[str, Any]:
    sized = next(sized for sized in SIZED if sized.size == "720p").quick()
    source = open_source(sized, media, cache)
    result: dict[str, Any] = {
        "valgrind": valgrind_version(),
        "source": source.to_json(),
        "rates": {},
    }
    for rate, crf in RATES.items():
        stream = stream_of(source, crf, cache)
        other = stream_of(source, crf + OTHER_CRF, cache, frames=1).path
        row: dict[str, Any] = {"stream": stream.to_json(), "operations": {}}
        for operation in OPERATIONS:
            totals = []
            for _ in range(_REPEATS):
                found, simd = _count(operation, stream, other, library, marks)
                stages = by_stage(found, SOURCES)
                totals.append(stages.total())
            frames = {"decode": _FRAMES, "rebase": _FRAMES - 1, "encode": 1}[operation]
            row["operations"][operation] = {
                "frames": frames,
                "instructions": totals,
                "stages": dict(stages.most_common()),
                "largest": largest(found, SOURCES, _LARGEST),
            }
            result["simd"] = simd
            print(f"profile {operation} {rate}: {totals} instructions", flush=True)
        result["rates"][rate] = row
    return result
