"""Estimates an encode on one machine before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from excamera.job.batches import mode_of_batch
from excamera.job.options import EncodeOptions
from excamera.job.steps import CPU_MB, DEFAULT_MEMORY_MB
from excamera.price.costs import Shape
from excamera.price.film import Film
from excamera.price.pace import FURTHER_CPU, Pace, work_seconds
from excamera.price.stages import Lengths
from excamera.price.workers import Workers

_ONE_CPU = Workers(dict.fromkeys(DEFAULT_MEMORY_MB, CPU_MB))


def machine_seconds(
    film: Film,
    options: EncodeOptions,
    batches: Sequence[Lengths],
    spans: int,
    cpus: int,
    pace: Pace | None = None,
) -> float:
    """Seconds of a planned encode from its beginning, with its index and surveys.

    Args:
        film: what is encoded.
        options: its options.
        batches: the frames of each chunk of each batch.
        spans: how many are surveyed, each by a process.
        cpus: that work on it.
        pace: of one CPU; by default the constants of another machine.
    """
    shape = Shape(
        film.frames,
        sum(map(len, batches)),
        len(batches),
        shares=len(batches),
        anchored=mode_of_batch(options) == "anchors",
        spans=spans,
    )
    work = work_seconds(film, options, shape, _ONE_CPU, pace or Pace())
    speed = 1 + FURTHER_CPU * (cpus - 1)
    encode_s = work["encode"] / speed
    if options.is_plain:
        # An encoder has one thread: the longest chunk takes its time.
        longest = max(map(sum, batches))
        encode_s = max(encode_s, work["encode"] * longest / film.frames)
    return work["index"] + (work["survey"] + work["audio"]) / speed + encode_s
