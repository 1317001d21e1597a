"""Measures what N and x cost in bits, in mode anchors.

    python -m benchmarks.quality.structures [--clips NAME ...] [--processes N]

Writes benchmarks/results/structures.json. `excamera.price.structures` has what follows from it: a
planner may choose only what costs hardly more bits than the defaults.

How often a scene needs a further key frame depends on x alone, so x is measured on scenes that
never end: real clips that run forwards and backwards. 576 frames are three longest batches of the
defaults, four with x = 12, six with x = 8, two with x = 24. Scenes of films that end sooner need
no more key frames for it, at most.

Whether N is given or chosen matters where scenes end or hardly change, so it is measured on a film
of short scenes as well, and on generated clips of such kinds.

Curves have few points, because they are compared with each other only, and differ little.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.common import clips
from benchmarks.common.circumstances import CACHE, MEDIA, RESULTS, code_digest, cpu_model, git
from benchmarks.common.clips import Clip
from benchmarks.common.generated import GENERATED
from benchmarks.quality.bjontegaard import rate_difference
from benchmarks.quality.curves import PSNR, SSIM, curve
from benchmarks.quality.rate_distortion import Source, measure
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.source.picture import Planes

RESULT = RESULTS / "structures.json"
CRFS = (18, 28, 38)
FRAMES = 576
USUAL = (0, 16)
"""N and x; an N of 0 is chosen for each batch, and batches end where scenes do."""
OF_SCENES = (USUAL, (0, 8), (0, 12), (0, 24), (12, 16))
OF_CUTS = (USUAL, (0, 24), (12, 16))

_WIDE = (640, 360)


def _to_and_fro(clip: Clip, media: Path) -> Iterator[Planes]:
    """Yields the pictures of a clip forwards, backwards, and so on."""
    pictures = list(clip.pictures(media))
    around = chain(pictures, pictures[-2:0:-1])
    return islice(cycle(around), FRAMES)


def _long(name: str, file: str, frames: int, size: tuple[int, int] | None = None) -> Clip:
    make = partial(_to_and_fro, Clip(name, file, frames, scale_to_px=size))
    return Clip(f"long-{name}", file, FRAMES, make=make)


_SHOTS = (
    ("foreman_cif.264", 0, 75),
    ("flower_720p.264", 0, 100),
    ("street_1080p.264", 0, 54),
    ("bigbuckbunny.mp4", 0, 132),
    ("carphone_pristine.mp4", 0, 40),
    ("foreman_cif.264", 180, 300),
    ("carphone_pristine.mp4", 60, 84),
    ("flower_720p.264", 200, 260),
)
"""A file, its first frame and the frame after its last."""


def _film(media: Path) -> Iterator[Planes]:
    """Yields shots of one to five seconds, one after another."""
    for file, first, end in _SHOTS:
        yield from islice(Clip("", file, end, scale_to_px=_WIDE).pictures(media), first, end)


SCENES = (
    _long("foreman", "foreman_cif.264", 300),
    _long("carphone", "carphone_pristine.mp4", 120),
    _long("bigbuckbunny", "bigbuckbunny.mp4", 132, _WIDE),
    _long("flower", "flower_720p.264", 300, _WIDE),
    _long("street", "street_1080p.264", 54, _WIDE),
)
FILM = Clip("film", _SHOTS[0][0], sum(end - first for _, first, end in _SHOTS), make=_film)
CLIPS = (*SCENES, FILM, *GENERATED)


def name_of(structure: tuple[int, int]) -> str:
    """Returns how the results name a structure."""
    return "[{},{}]".format(*structure)


def points(source: Source, structure: tuple[int, int]) -> list[dict[str, Any]]:
    """Returns the size and quality of a clip at each level."""
    found = []
    for crf in CRFS:
        target = CACHE / f"structure-{os.getpid()}.ivf"
        options = EncodeOptions(
            crf=crf, mode="anchors", chunk_frames=structure[0], batch_chunks=structure[1]
        )
        made = encode_file(str(source.path), target, options, workers=1, overwrite=True)
        point = measure(source, target)
        kept = {name: point[name] for name in ("bytes", SSIM, PSNR)}
        found.append({"crf": crf, "batches": made.key_frames, **kept})
        print(source.clip.name, name_of(structure), found[-1], flush=True)
    return found


def measure_clip(name: str, media: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Returns a clip's curves, by structure; those that are known are not measured again."""
    [clip] = (clip for clip in CLIPS if clip.name == name)
    path = clips.source_of(clip, media, CACHE)
    source = Source(clip, path, clips.sha256_of(path))
    structures = OF_SCENES if clip in SCENES else OF_CUTS
    curves = known.get("curves", {}) if known.get("y4m_sha256") == source.sha256 else {}
    return {
        "frames": clip.frames,
        "y4m_sha256": source.sha256,
        "curves": {
            name_of(one): curves.get(name_of(one)) or points(source, one) for one in structures
        },
    }


def differences(result: dict[str, Any], structure: tuple[int, int]) -> dict[str, float]:
    """Returns how much more bits a structure needs than the usual one at equal SSIM, by clip."""
    name = name_of(structure)
    return {
        clip: rate_difference(
            curve(found["curves"][name_of(USUAL)], SSIM), curve(found["curves"][name], SSIM)
        )
        for clip, found in result["clips"].items()
        if name in found["curves"]
    }


def more_bits(result: dict[str, Any], structure: tuple[int, int]) -> float:
    """Returns that for the kind of film that needs most.

    Kinds are scenes without an end, a film of short ones, and what generated clips stand for; of
    the first and the last it is the mean.
    """
    found = differences(result, structure)
    kinds = [
        [found[clip.name] for clip in kind if clip.name in found]
        for kind in (SCENES, (FILM,), GENERATED)
    ]
    return max(statistics.fmean(kind) for kind in kinds if kind)


def main() -> int:
    """Measures the requested clips."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.structures",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = [clip.name for clip in CLIPS]
    parser.add_argument("--clips", nargs="+", choices=names, default=names)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--processes", type=int, default=1, help="clips at the same time")
    arguments = parser.parse_args()
    if not arguments.media.is_dir():
        sys.exit(f"{arguments.media}: the folder of clips is missing (--media)")
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"clips": {}}
    code = code_digest()
    if result.get("circumstances", {}).get("code_sha256") != code:
        result["clips"] = {}
    result["circumstances"] = {
        "commit": git("rev-parse", "HEAD"),
        "code_sha256": code,
        "cpu": cpu_model(),
    }
    with ProcessPoolExecutor(arguments.processes, get_context("spawn")) as pool:
        measured = {
            name: pool.submit(measure_clip, name, arguments.media, result["clips"].get(name, {}))
            for name in arguments.clips
        }
        result["clips"].update({name: one.result() for name, one in measured.items()})
    result["clips"] = {name: result["clips"][name] for name in names if name in result["clips"]}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for structure in OF_SCENES[1:]:
        if found := differences(result, structure):
            print(name_of(structure), f"{more_bits(result, structure):+.2%}", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
