"""The constants of `excamera.price.pace`: how fast one CPU of this machine works."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from math import log2
from pathlib import Path
from typing import Any

from benchmarks.cloud.jobs import STEPS, Run, run_locally
from benchmarks.cloud.memory import on_cpus
from benchmarks.common.circumstances import RESULTS
from benchmarks.common.clips import sha256_of
from benchmarks.common.films import CIF, SIZES, source_of
from benchmarks.common.synthetic import Clip
from excamera.cli.estimate import look_at
from excamera.job.options import EncodeOptions
from excamera.job.steps import task_name
from excamera.price.costs import Shape
from excamera.price.pace import Pace
from mu import Attempt

CLIPS = (
    ("foreman_cif.264", CIF, 192),
    ("flower_720p.264", SIZES[0], 96),
    ("street_1080p.264", SIZES[1], 54),
    ("bigbuckbunny.mp4", SIZES[0], 96),
)
"""Real clips; the constants are the medians over these. The last has sound."""

EFFORTS = ("good 0", "good 1", "good 2", "good 4", "realtime 1", "realtime 4", "best 0")
"""Deadlines and `cpu_used` with which the first clip is encoded."""

PUBLISHED = {"mode": "rebase", "chunk-frames": "6", "batch-chunks": "16"}
"""The options of the published pipeline, whose constants these are."""

MANY_FRAMES = 12_000
"""Frames of the film whose plan is timed."""

OCTAVE_FROM, OCTAVE_TO = 16, 32
"""The `crf` whose sizes are compared."""


def attempts_of(run: Run) -> list[Attempt]:
    """Returns the timeline of a run without failures."""
    return [
        Attempt(task_name(record["name"], record["event"]), 1, round(1000 * _seconds(record)))
        for record in run.records
    ]


def call_s_of(runs: Iterable[Run]) -> float:
    """Returns the seconds of a call with almost nothing to encode."""
    return statistics.median(_seconds(record) for run in runs for record in run.of("encode"))


def tiny(folder: Path, frames: int = 24) -> Path:
    """Makes a film that takes almost no time to encode."""
    return Clip(frames, 16, 16, sound="aac").write(folder / f"tiny-{frames}.mp4")


def measure(media: Path, cache: Path, repeats: int) -> dict[str, Any]:
    """Measures all constants and the values behind their medians, on one CPU with one worker.

    Args:
        media: folder of clips.
        cache: folder for the films made from them.
        repeats: runs of each.
    """
    sources = [source_of(size, frames, media, cache, name) for name, size, frames in CLIPS]
    with on_cpus(1), tempfile.TemporaryDirectory() as folder:
        small = tiny(Path(folder))
        idle = _each_call([run_locally(small, PUBLISHED, 1) for _ in range(repeats)])
        plan_s = _plan_s(tiny(Path(folder), MANY_FRAMES), repeats, idle["index"] + idle["plan"])
        clips = {source.name: _clip(source, repeats, idle) for source in sources}
        efforts = _efforts(sources[0])
    found = {
        name: statistics.median(clip[name] for clip in clips.values() if name in clip)
        for name in ("encode_s", "rebase_s", "audio_s", "bits")
    }
    result = {
        "clips": clips,
        "efforts": efforts,
        "medians": {**found, "first_frame_s": _first_frame_s(), "plan_s": plan_s},
        "crf_octave": _octave(),
        "crf_time_octave": _time_octave(),
        "cpu_used": statistics.median(
            efforts[f"good {steps}"] ** (1 / steps) for steps in (1, 2, 4)
        ),
    }
    print(f"pace: {result}", flush=True)
    return result


def _seconds(record: dict[str, Any]) -> float:
    return float(record["finished"] - record["started"])


def _each_call(runs: Sequence[Run]) -> dict[str, float]:
    """Returns the median seconds of a call, by step; 0 of a step that was not called."""
    found = {step: [record for run in runs for record in run.of(step)] for step in STEPS}
    return {
        step: statistics.median(map(_seconds, records)) if records else 0.0
        for step, records in found.items()
    }


def _clip(source: Path, repeats: int, idle: dict[str, float]) -> dict[str, Any]:
    """Returns the pace with one clip in mode rebase, without the cost of an empty call."""
    film, options = look_at(str(source)), EncodeOptions().with_texts(PUBLISHED)
    runs = [run_locally(source, PUBLISHED, 1) for _ in range(repeats)]

    def median(of_run: Callable[[Run], float]) -> float:
        return statistics.median(map(of_run, runs))

    def seconds(step: str) -> Callable[[Run], float]:
        return lambda run: sum(_seconds(record) - idle[step] for record in run.of(step))

    def joining(run: Run) -> float:
        return sum(sum(record.timings.values()) for record in run.batches)

    shape, work = Shape.of(film.frames, options), film.frames * film.megapixels
    first = (shape.chunks - shape.batches) / film.frames
    found = {
        "encode_s": median(lambda run: seconds("encode")(run) - joining(run)) / work,
        # First frames of chunks are encoded again, in no task of their own.
        "rebase_s": (median(joining) / work - first * _first_frame_s()) / (1 - first),
        "bits": Pace().with_size(runs[0].output_size, film, options.crf).bits,
    }
    if film.sound:
        found["audio_s"] = median(seconds("audio")) / film.duration_s
    return {"sha256": sha256_of(source), **asdict(film), **found}


def _plan_s(source: Path, repeats: int, idle_s: float) -> float:
    """Returns the seconds to index and plan a thousand frames, whatever their content."""
    texts = {**PUBLISHED, "chunk-frames": "1000"}
    runs = [run_locally(source, texts, 1) for _ in range(repeats)]
    took = statistics.median(
        sum(_seconds(record) for step in ("index", "plan") for record in run.of(step))
        for run in runs
    )
    return 1000 * (took - idle_s) / MANY_FRAMES


def _first_frame_s() -> float:
    """Returns the seconds for a megapixel of a first frame, from `make bench-speed`."""
    found = json.loads((RESULTS / "speed.json").read_text())["first_frame"]["found"]
    pixels = found["source"]["width"] * found["source"]["height"]
    per_megapixel: float = found["cpu_ms"]["median"] * 1e3 / pixels
    return per_megapixel


def _octave() -> float:
    """Returns the steps of crf that halve the bits, from `make bench-quality`."""
    clips = json.loads((RESULTS / "rate-distortion.json").read_text())["clips"]
    found = []
    for clip in clips.values():
        size = {one["level"]: one["bytes"] for one in clip["curves"]["ExCamera[6,16]"]}
        octaves = log2(size[OCTAVE_FROM] / size[OCTAVE_TO])
        found.append((OCTAVE_TO - OCTAVE_FROM) / octaves)
    return float(statistics.median(found))


def _time_octave() -> float:
    """Returns the steps of crf that halve encode's and rebase's time, from `make bench-speed`."""
    speed = json.loads((RESULTS / "speed.json").read_text())
    found = []
    for low, high in ((size["low"], size["high"]) for size in speed["encode"]["sizes"].values()):
        took = [one["contenders"]["libvpx"]["cpu_ms"]["median"] for one in (low, high)]
        found.append((low["crf"] - high["crf"]) / log2(took[1] / took[0]))
    for low, high in ((size["low"], size["high"]) for size in speed["rebase"]["sizes"].values()):
        took = [one["rebase"]["cpu_ms"]["median"] / one["frames"] for one in (low, high)]
        steps = low["stream"]["crf"] - high["stream"]["crf"]
        found.append(steps / log2(took[1] / took[0]))
    return float(statistics.median(found))


def _efforts(source: Path) -> dict[str, float]:
    """Returns encode's time with each deadline and speed, relative to the defaults."""
    seconds = {}
    for effort in EFFORTS:
        deadline, _, cpu_used = effort.partition(" ")
        run = run_locally(source, {**PUBLISHED, "deadline": deadline, "cpu-used": cpu_used}, 1)
        seconds[effort] = sum(map(_seconds, run.of("encode")))
    return {effort: took / seconds[EFFORTS[0]] for effort, took in seconds.items()}
