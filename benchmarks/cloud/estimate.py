"""How close a job's estimate and its reported cost come to what Lambda bills."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.cloud.jobs import STEPS, deployed
from benchmarks.cloud.memory import configured_mb
from benchmarks.cloud.pace import PUBLISHED, attempts_of, call_s_of, tiny
from benchmarks.common.films import SIZES, source_of
from excamera.cli.estimate import look_at
from excamera.job.options import EncodeOptions
from excamera.job.steps import CPU_MB
from excamera.job.tally import Tally
from excamera.price.costs import actual
from excamera.price.estimate import estimate
from excamera.price.pace import Pace
from excamera.price.workers import Workers
from mu.machine import available_cpus


@dataclass(frozen=True)
class Job:
    """A job of the stack.

    Attributes:
        size: index of the pictures' size in `benchmarks.common.films.SIZES`.
        frames: number of frames of the film.
        texts: options that differ from the defaults.
    """

    size: int
    frames: int
    texts: dict[str, str]


JOBS = (
    Job(0, 96, {**PUBLISHED, "batch-chunks": "4"}),
    Job(1, 48, {**PUBLISHED, "batch-chunks": "8"}),
    Job(0, 72, {**PUBLISHED, "batch-chunks": "3", "chunk-frames": "12", "crf": "36"}),
)
"""The pace of the first is the basis of all estimates."""


def measure(media: Path, cache: Path, repeats: int) -> list[dict[str, Any]]:
    """Runs jobs on the emulator; returns what is billed, reported and estimated.

    One function runs at a time, so that it does not share its CPU; encode gets all CPUs there are.
    Of each job, the round with the median bill counts.

    Args:
        media: folder of clips.
        cache: folder for the sources.
        repeats: rounds of all jobs.
    """
    memory = {**configured_mb(), "encode": CPU_MB * available_cpus()}
    workers = Workers(memory, "x86_64", concurrency=2)
    sources = [source_of(SIZES[job.size], job.frames, media, cache) for job in JOBS]
    with (
        deployed(1, memory_mb=memory) as cloud,
        tempfile.TemporaryDirectory() as folder,
    ):
        cloud.run(tiny(Path(folder)), {})
        call_s = call_s_of([cloud.run(tiny(Path(folder)), {})])  # in warm environments
        rounds = [
            [cloud.run(source, job.texts) for source, job in zip(sources, JOBS, strict=True)]
            for _ in range(repeats)
        ]
    runs = [
        sorted(of_job, key=lambda run: _gb_seconds(run.billed))[repeats // 2]
        for of_job in zip(*rounds, strict=True)
    ]
    films = [look_at(str(source)) for source in sources]
    options = [EncodeOptions().with_texts(job.texts) for job in JOBS]
    like = Pace.of_job(attempts_of(runs[0]), films[0], options[0], workers, call_s)
    like = like.with_size(runs[0].output_size, films[0], options[0].crf)
    found = []
    for job, run, film, chosen in zip(JOBS, runs, films, options, strict=True):
        by_like, by_constants = (
            estimate(film, chosen, workers, pace, warm=True)
            for pace in (like, replace(Pace(), call_s=call_s))
        )
        told = actual(Tally.of(attempts_of(run)), memory)
        found.append(
            {
                "frames": job.frames,
                "width": film.width,
                "height": film.height,
                "options": asdict(chosen),
                "call_s": call_s,
                "billed_by_step": run.billed,
                "billed": _gb_seconds(run.billed),
                "told": _gb_seconds(told.gb_seconds),
                "like": _gb_seconds(by_like.usage.gb_seconds),
                "constants": _gb_seconds(by_constants.usage.gb_seconds),
                "size": run.output_size,
                "size_like": by_like.size,
                "size_constants": by_constants.size,
            }
        )
        print(f"estimate: {found[-1]}", flush=True)
    return found


def _gb_seconds(by_step: Mapping[str, float]) -> float:
    """Returns the sum over functions that work on video; the others do not depend on the film."""
    return sum(by_step[step] for step in STEPS)
