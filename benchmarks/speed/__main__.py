"""Measures speed and memory of the codec, beside libvpx and FFmpeg.

    python -m benchmarks.speed [--only SECTION ...] [--quick] [--rounds N] [--render]

Writes benchmarks/results/speed.json and, from it, docs/benchmarks.md. With --quick, which only
tests that the benchmark works, it writes build/benchmarks/speed-quick.json and .md instead. Streams
are kept in build/benchmarks.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av

import codec
from benchmarks.common.circumstances import (
    CACHE,
    MEDIA,
    PACKAGES,
    RESULTS,
    ROOT,
    code_digest,
    cpu_model,
    git,
)
from benchmarks.common.films import SIZES, Size
from benchmarks.speed import (
    batch,
    command,
    decode,
    encode,
    memory,
    played,
    profile,
    rebase,
    streams,
    threads,
    vpxdec,
)
from benchmarks.speed.report import render

RESULT = RESULTS / "speed.json"
PAGE = ROOT / "docs" / "benchmarks.md"
QUICK_RESULT, QUICK_PAGE = CACHE / "speed-quick.json", CACHE / "speed-quick.md"

Section = Callable[[], dict[str, Any]]


def sections(media: Path, rounds: int, quick: bool) -> Mapping[str, Section]:
    """Returns the measurements by name, in order; all but the profile run in rounds."""

    def sources() -> Iterator[streams.Source]:
        return streams.sources(quick, media, CACHE)

    def clips(sizes: Sequence[Size]) -> Iterator[played.Played]:
        return played.played(quick, media, CACHE, sizes)

    return {
        "decode": lambda: {"sizes": decode.measure(sources, rounds, CACHE)},
        "rebase": lambda: {"sizes": rebase.measure(sources, rounds, CACHE)},
        "encode": lambda: {"sizes": encode.measure(sources, rounds, CACHE)},
        "first_frame": lambda: {"found": encode.measure_first_frames(quick, rounds, media, CACHE)},
        "threads": lambda: {"found": threads.measure(sources, rounds, CACHE)},
        "memory": lambda: {"sizes": memory.measure_peaks(quick, media, CACHE)},
        "state": lambda: {"sizes": memory.measure_states(sources, rounds, CACHE)},
        "batch": lambda: {"found": batch.measure(clips(SIZES), rounds, CACHE)},
        "command": lambda: {"sizes": command.measure(clips(command.SIZES), rounds, CACHE)},
        "profile": lambda: {"found": profile.measure(media, CACHE)},
    }


def _libvpx_of_pyav() -> str:
    """Returns the version of the libvpx in PyAV."""
    folder = Path(av.__file__).parent.with_name("av.libs")
    for path in folder.glob("libvpx*"):
        version = ctypes.CDLL(str(path)).vpx_codec_version_str
        version.restype = ctypes.c_char_p
        return str(version().decode())
    return "unknown"


def circumstances(rounds: int, quick: bool) -> dict[str, Any]:
    """Returns what the figures depend on, apart from the sources."""
    return {
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", *PACKAGES)),
        "code_sha256": code_digest(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "rounds": rounds,
        "quick": quick,
        "simd": codec.simd_level(),
        "python": platform.python_version(),
        "pyav": av.__version__,
        "pyav_libvpx": _libvpx_of_pyav(),
        "ffmpeg": av.ffmpeg_version_info,
        "vpxdec": vpxdec.version(),
        "valgrind": profile.valgrind_version(),
    }


def main() -> int:
    """Measures the requested sections; writes results and page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = list(sections(MEDIA, 1, True))
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--quick", action="store_true", help="few frames, two rounds")
    parser.add_argument("--rounds", type=int, help="rounds of timed work; 5 without --quick")
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--render", action="store_true", help="only write the page again")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    path, page = (QUICK_RESULT, QUICK_PAGE) if arguments.quick else (RESULT, PAGE)
    if not arguments.render and not arguments.media.is_dir():
        sys.exit(f"{arguments.media}: the folder of clips is missing (--media)")
    CACHE.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    measured = {} if arguments.render else sections(arguments.media, rounds, arguments.quick)
    for name, measure in measured.items():
        if name not in arguments.only:
            continue
        made, started = circumstances(rounds, arguments.quick), time.monotonic()
        found = measure()
        made["load_after"] = round(os.getloadavg()[0], 2)
        made["seconds"] = round(time.monotonic() - started)
        result[name] = {"circumstances": made, **found}
        result = {name: result[name] for name in names if name in result}
        path.write_text(json.dumps(result, indent=1) + "\n")
    page.write_text(render(result))
    print(f"{page.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
