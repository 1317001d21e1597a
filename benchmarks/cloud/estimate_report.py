"""The part of docs/cloud-overhead.md about estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.common.markdown import paragraph, table
from excamera.price.pace import CPU_USED, CRF_OCTAVE, CRF_TIME_OCTAVE, DEADLINE_FACTORS, Pace

Tree = Mapping[str, Any]

_PACES = {
    "encode_s": "`encode_s`, of a megapixel",
    "rebase_s": "`rebase_s`, of a megapixel",
    "first_frame_s": "`first_frame_s`, of a megapixel",
    "audio_s": "`audio_s`, of a second of sound",
    "plan_s": "`plan_s`, of a thousand frames",
    "bits": "`bits`, of a megapixel",
}


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.4f}"


def _name(source: str) -> str:
    return source.removeprefix("cloud-").removesuffix(".mp4")


def _off(found: float, true: float) -> str:
    return f"{100 * (found / true - 1):+.0f}%"


def jobs(estimate: Tree) -> str:
    """Returns the jobs' GB-seconds and sizes, reported and estimated."""
    rows = []
    for job in estimate["jobs"]:
        options = job["options"]
        rows.append(
            [
                f"{job['width']}x{job['height']}, {job['frames']} frames, "
                f"[{options['chunk_frames']},{options['batch_chunks']}], crf {options['crf']}",
                f"{job['billed']:.2f}",
                *(_off(job[by], job["billed"]) for by in ("told", "like", "constants")),
                f"{job['size'] / 1e6:.2f}",
                *(_off(job[by], job["size"]) for by in ("size_like", "size_constants")),
            ]
        )
    call_ms = 1000 * estimate["jobs"][0]["call_s"]
    return "\n\n".join(
        [
            "## Estimates",
            paragraph(
                f"""The first figure is what Lambda reports as billed for the functions that work on
                video, in GB-seconds. The next three say how far other figures are from it: what
                the API reports of a finished job, from its timeline; what
                `excamera estimate --like` estimates from the first of these jobs; and what it
                estimates from its constants, which were measured on this machine. One function ran
                at a time, in a warm environment; figures are of the median of
                {estimate["repeats"]} rounds. The requests of a call took {call_ms:.0f} ms,
                measured with a film of 16x16 pixels; here that figure replaces the constant for
                AWS. The last columns are the sizes of the results."""
            ),
            table(
                ["job", "billed, GB s", "reported", "`--like`", "constants", "MB", "`--like`",
                 "constants"],
                rows,
            ),
        ]
    )  # fmt: skip


def constants(pace: Tree) -> str:
    """Returns what the constants of the estimate are made of."""
    clips, medians, now = pace["clips"], pace["medians"], Pace()
    rows = [
        [
            meaning,
            *(_figure(clip.get(name)) for clip in clips.values()),
            _figure(medians[name]),
            _figure(getattr(now, name)),
        ]
        for name, meaning in _PACES.items()
    ]
    efforts = "; ".join(f"{name} {value:.2f}" for name, value in pace["efforts"].items())
    deadlines = ", ".join(f"{name} {value:.2f}" for name, value in DEADLINE_FACTORS.items())
    return "\n\n".join(
        [
            paragraph(
                """The estimate's constants (`excamera/price/pace.py`) are seconds of one CPU of
                this machine, or bits."""
            ),
            table(["constant", *map(_name, clips), "median", "in use"], rows),
            paragraph(
                f"""First frames are those of [benchmarks.md](benchmarks.md). Encoding the first
                clip took, relative to "good" with `cpu_used` 0: {efforts}. The estimate uses
                {deadlines}, times {CPU_USED} for each step of `cpu_used` ({pace["cpu_used"]:.2f}
                measured). {pace["crf_octave"]:.1f} steps of `crf` halve the bits, the median of
                the clips of [rate-distortion.md](rate-distortion.md); the estimate uses
                {CRF_OCTAVE:.0f}. {pace["crf_time_octave"]:.1f} steps halve the time of encode and
                rebase, according to [benchmarks.md](benchmarks.md); the estimate uses
                {CRF_TIME_OCTAVE:.0f}. The bits of a megapixel differ from film to film by far more
                than anything else here: `--like`, with a job of the same kind of film, estimates a
                size better."""
            ),
        ]
    )
