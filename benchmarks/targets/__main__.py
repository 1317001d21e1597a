"""Measures how near results come to a target, and what trying costs.

    python -m benchmarks.targets [--only NAME ...] [--quick]

Each case is encoded for a target, and then once more at the mean crf that was found: the ratio of
the two CPU times is what the target costs. Qualities are measured in the result. Writes
benchmarks/results/targets.json and docs/targets.md; with --quick, which only tests that the
benchmark works, build/benchmarks/targets-quick.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av

import excamera
from benchmarks.common.circumstances import CACHE, MEDIA, RESULTS, ROOT, code_digest, cpu_model
from benchmarks.common.clips import CLIPS, source_of
from benchmarks.targets.montage import montage
from benchmarks.targets.report import DOC, render
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.quality import ssim_db
from excamera.work import JOB

RESULT, QUICK_RESULT = RESULTS / "targets.json", CACHE / "targets-quick.json"
LONG, LONG_FRAMES = "montage", 12_000
CODE = ("excamera", "codec")


@dataclass(frozen=True)
class Case:
    """An encode for a target.

    Attributes:
        clip: its source: one of `CLIPS`, or `LONG`.
        options: of the encode; one of them is the target.
    """

    clip: str
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return " ".join([self.clip, *(f"{name}={value}" for name, value in self.options.items())])


def _cases() -> Iterator[Case]:
    yield Case("foreman-cif", {"codec": "vp8", "bitrate": "300k"})
    yield Case("foreman-cif", {"codec": "vp8", "bitrate": "500k"})
    yield Case("foreman-cif", {"codec": "vp9", "size": "500k"})
    yield Case("foreman-cif", {"codec": "vp8", "target_psnr": "38"})
    yield Case("foreman-cif", {"codec": "h264", "target_psnr": "36"})
    yield Case("bigbuckbunny-720p", {"codec": "vp8", "bitrate": "1000k"})
    yield Case("bigbuckbunny-720p", {"codec": "h264", "size": "700k"})
    yield Case("bigbuckbunny-720p", {"codec": "av1", "bitrate": "600k"})
    yield Case("bigbuckbunny-720p", {"codec": "av1", "target_ssim": "16"})
    yield Case("street-720p", {"codec": "av1", "bitrate": "1200k"})
    yield Case("street-720p", {"codec": "vp8", "bitrate": "1800k"})
    yield Case(LONG, {"codec": "vp8", "bitrate": "400k"})
    yield Case(LONG, {"codec": "av1", "bitrate": "300k"})
    yield Case(LONG, {"codec": "h264", "bitrate": "300k"})
    yield Case(LONG, {"codec": "h264", "target_psnr": "38"})


def _measured(case: Case, frames: int) -> dict[str, Any]:
    """Encode it, twice."""
    with tempfile.TemporaryDirectory(prefix="targets-") as scratch:
        folder = Path(scratch)
        if case.clip == LONG:
            source = montage(CACHE / f"montage-{frames}.mp4", frames, MEDIA)
        else:
            clip = next(one for one in CLIPS if one.name == case.clip)
            source = source_of(clip, MEDIA, CACHE)
        options = EncodeOptions().with_values(case.options)
        before = _cpu_s()
        target = encode_file(
            str(source), folder / "out.mkv", options, keep_job=folder / "job"
        ).reached
        cpu_s = _cpu_s() - before
        prefix = folder / "job" / "jobs" / JOB
        crfs = json.loads((prefix / "aim.json").read_text())["crfs"]
        sampling = json.loads((prefix / "sampling.json").read_text())
        if target is None:
            raise ValueError(f"{case.name} has no target")
        reached = target.reached
        if options.target is not None and options.target.is_quality:
            compared = excamera.compare(source, folder / "out.mkv").mean["y"]
            reached = ssim_db(compared.ssim) if target.kind == "target_ssim" else compared.psnr_db
        plain = {"codec": options.codec, "crf": round(sum(crfs) / len(crfs))}
        before = _cpu_s()
        encode_file(str(source), folder / "plain.mkv", EncodeOptions().with_values(plain))
        return {
            "clip": case.clip,
            "codec": options.codec,
            "kind": target.kind,
            "wanted": target.wanted,
            "told": round(target.reached, 3),
            "reached": round(reached, 3),
            "batches": len(crfs),
            "samples": len(sampling["samples"]),
            "cpu_s": round(cpu_s, 2),
            "times_the_cpu_of_one_encode": round(cpu_s / (_cpu_s() - before), 2),
        }


def _cpu_s() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def main() -> int:
    """Measure the cases that are asked for, and write the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.targets",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", help="cases whose names have one of these in them")
    parser.add_argument("--quick", action="store_true", help="short films")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    given = parser.parse_args()
    path = QUICK_RESULT if given.quick else RESULT
    path.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for case in () if given.render else _cases():
        if given.only and not any(one in case.name for one in given.only):
            continue
        one = _measured(case, 600 if given.quick else LONG_FRAMES)
        found[case.name] = {**one, "measured": _circumstances()}
        found = {case.name: found[case.name] for case in _cases() if case.name in found}
        path.write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(one))
    if not given.quick:
        DOC.write_text(render(found))
    print(f"{path.relative_to(ROOT)} is written")
    return 0


def _circumstances() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code_sha256": code_digest(CODE),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "pyav": av.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
