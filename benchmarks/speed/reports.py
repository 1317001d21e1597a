"""Measures what a report's look at a film takes: decoding it twice, and comparing the pictures.

    python -m benchmarks.speed.reports [--frames N] [--rounds N]

`make bench-reports` runs it. It writes benchmarks/results/reports.json: for each film, CPU seconds
of a megapixel for decoding an H.264 source and its VP8 result, for PSNR and SSIM of the luma, and
for scaling a source to a size of a ladder.
The constants in `excamera/report/effort.py` are from it, and a test compares them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections import deque
from pathlib import Path
from typing import Any

import av

from benchmarks.common.circumstances import CACHE, MEDIA, RESULTS, ROOT, code_digest, cpu_model
from benchmarks.common.films import FILM, SIZES, Size, source_of
from benchmarks.common.timing import Spent, interleaved, spread
from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.source.picture import resized
from excamera.report.films import Film
from excamera.report.measure import measured

RESULT = RESULTS / "reports.json"

FILMS = (*((FILM, size) for size in SIZES), ("street_1080p.264", SIZES[1]))
"""An easy film in three sizes, and one with much detail."""


def _result_of(source: Path) -> Path:
    """The source's result with the default options."""
    result = source.with_suffix(f".{code_digest(('codec',))[:12]}.webm")
    if not result.exists():
        encode_file(str(source), result, EncodeOptions())
    return result


def _decoded(films: tuple[Film, Film]) -> dict[str, Spent]:
    spent = Spent()
    with spent.more():
        for film in films:
            deque(film.pictures(), maxlen=0)
    return {"decode": spent}


def _compared(films: tuple[Film, Film], frames: int) -> dict[str, Spent]:
    spent = Spent()
    with spent.more():
        (found,) = measured(films[0], [films[1]], workers=1)
    if len(found.numbers) != frames or found.more:
        raise RuntimeError(f"{len(found.numbers)} frames of {frames} were compared")
    return {"both": spent}


def _scaled(source: Film, size: Size) -> dict[str, Spent]:
    """To two thirds of its width and height, as from 1080p to 720p."""
    pictures = [picture for _, picture in source.pictures()]
    rung = Geometry(size.width * 2 // 6 * 2, size.height * 2 // 6 * 2)
    spent = Spent()
    with spent.more():
        for picture in pictures:
            resized(picture, rung)
    return {"scale": spent}


def _spreads(clip: str, size: Size, frames: int, rounds: int) -> dict[str, Any]:
    """CPU seconds of a megapixel, by what they are for."""
    source = source_of(size, frames, MEDIA, CACHE, clip)
    films = Film(str(source)), Film(str(_result_of(source)))
    found = interleaved(
        rounds,
        [
            lambda: _decoded(films),
            lambda: _compared(films, frames),
            lambda: _scaled(films[0], size),
        ],
    )
    work = frames * size.width * size.height / 1e6
    decode, both, scale = (
        [one.cpu_s / work for one in found[name]] for name in ("decode", "both", "scale")
    )
    return {
        "decode_s": spread(decode),
        "measure_s": spread([b - d for b, d in zip(both, decode, strict=True)]),
        "scale_s": spread(scale),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.reports",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    films = {
        f"{Path(clip).stem} at {size.name}": _spreads(clip, size, given.frames, given.rounds)
        for clip, size in FILMS
    }

    def medians(name: str) -> list[float]:
        return [one[name]["median"] for one in films.values()]

    report = {
        "code_sha256": code_digest(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "pyav": av.__version__,
        "frames": given.frames,
        "rounds": given.rounds,
        # By content: what a function has time for must hold for films with much detail.
        "decode_s": max(medians("decode_s")),
        # By pixels alone: what is left are differences of caches, and noise.
        "measure_s": statistics.median(medians("measure_s")),
        "scale_s": statistics.median(medians("scale_s")),
        "films": films,
    }
    RESULT.write_text(f"{json.dumps(report, indent=1)}\n")
    print(f"{RESULT.relative_to(ROOT)} is written")


if __name__ == "__main__":
    main()
