"""Measures results against their source, and takes pictures of both.

Each of several processes decodes all of both films and measures every so-many-th block of frames:
measuring takes many times as long as decoding, and no file has to be able to seek. What a process
holds does not depend on the film's length but for two numbers a frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from excamera.errors import FrameSizeDiffers
from excamera.job.objects import Job
from excamera.media.quality import mse, psnr_db, ssim, ssim_db
from excamera.media.source.picture import planes_of
from excamera.media.source.reader import FrameReader, read_all
from excamera.report.facts import EQUAL_DB, Quality, Run
from excamera.report.jpegs import difference, jpeg
from excamera.work import JOB
from mu import DirectoryStore, Executor
from mu.machine import available_cpus

_BLOCK = 16
"""Frames that a process measures before others have their turn."""

_MOST_PROCESSES = 8
"""More would only decode the same films more often: measuring takes some eight times as long."""

THUMB_PX, VIEW_PX = 120, 640
"""Widths of the small pictures below the charts, and of those of one frame."""

_THUMB_Q, _VIEW_Q = 8, 4


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures in order.

    Attributes:
        path: of a file, or of numbered pictures; "" if a job's plan says what is read.
        job: the folder of a job: its source as the plan reads it, with trims, crops and filters.
    """

    path: str = ""
    job: str = ""

    def pictures(self) -> Iterator[VideoFrame]:
        """All of them, as I420.

        Raises:
            InputError: the source cannot be read.
        """
        if self.path:
            yield from read_all(self.path, self.path)
            return
        store = DirectoryStore(self.job)
        plan = Job.load(store, JOB).plan
        with FrameReader.for_plan(plan, store, threads=0) as reader:
            for batch in plan.batches:
                for chunk in batch.chunks:
                    yield from reader.read(chunk)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one process measures: the blocks whose number leaves `part` if divided by `of`."""

    reference: Film
    result: Film
    part: int
    of: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Mean squared error and SSIM of the luma, by the frame's number; and how long both films are.

    Attributes:
        numbers: of the frames, int64.
        mse: of each, float64.
        ssim: of each, float64.
        more: how many more frames the reference has than the result; fewer if negative.
    """

    numbers: NDArray[np.int64]
    mse: NDArray[np.float64]
    ssim: NDArray[np.float64]
    more: int


def measured(reference: Film, result: Film, workers: int | None = None) -> Measured:
    """Measure a result against what it was made of, on several processes, at most eight.

    Raises:
        FrameSizeDiffers: their pictures differ in size.
        InputError: one of them cannot be read.
    """
    of = min(workers or available_cpus(), _MOST_PROCESSES)
    parts = [_Part(reference, result, part, of) for part in range(of)]
    if of == 1:
        found = [_measured(parts[0])]
    else:
        with Executor(workers=of) as executor:
            found = list(executor.map(_measured, parts))
    numbers = np.concatenate([one.numbers for one in found])
    order = np.argsort(numbers)
    return Measured(
        numbers[order],
        np.concatenate([one.mse for one in found])[order],
        np.concatenate([one.ssim for one in found])[order],
        found[0].more,
    )


def _measured(part: _Part) -> Measured:
    numbers, errors, likeness = [], [], []
    ours, theirs = part.reference.pictures(), part.result.pictures()
    more = 0
    for number, (a, b) in enumerate(itertools.zip_longest(ours, theirs)):
        if a is None or b is None:
            more += 1 if b is None else -1
            continue
        _check_sizes(a, b, number, part)
        if number // _BLOCK % part.of == part.part:
            x, y = planes_of(a)[0], planes_of(b)[0]
            numbers.append(number)
            errors.append(mse(x, y))
            likeness.append(ssim(x, y))
    return Measured(np.array(numbers, np.int64), np.array(errors), np.array(likeness), more)


def _check_sizes(a: VideoFrame, b: VideoFrame, number: int, part: _Part) -> None:
    if (a.width, a.height) != (b.width, b.height):
        raise FrameSizeDiffers(
            f"{part.reference.path or 'the source'} is {a.width}x{a.height}, "
            f"{part.result.path} is {b.width}x{b.height} at frame {number}: "
            "only pictures of the same size can be compared"
        )


def with_quality(run: Run, found: Measured) -> Run:
    """The run with what was measured of it."""
    count = run.frames.count
    psnr: list[float | None] = [None] * count
    likeness: list[float | None] = [None] * count
    for number, error, alike in zip(found.numbers, found.mse, found.ssim, strict=True):
        if number < count:
            psnr[number] = _decibels(psnr_db(float(error)))
            likeness[number] = _decibels(ssim_db(float(alike)))
    quality = None
    if len(found.numbers):
        quality = Quality(
            _decibels(psnr_db(float(found.mse.mean()))),
            _decibels(ssim_db(float(found.ssim.mean()))),
            len(found.numbers),
        )
    notes = list(run.notes)
    if found.more:
        longer = "the reference" if found.more > 0 else "this"
        notes.append(
            f"{longer} has {abs(found.more):,} more frames: only the first "
            f"{len(found.numbers):,} are compared, each with that of its number"
        )
    frames = replace(run.frames, psnr_db=psnr, ssim_db=likeness)
    return replace(run, frames=frames, quality=quality, notes=notes)


def _decibels(value: float) -> float:
    return round(min(value, EQUAL_DB), 2)


@dataclass(frozen=True, slots=True)
class _Wanted:
    film: Film
    against: Film | None
    thumbs: frozenset[int]
    views: frozenset[int]


@dataclass(frozen=True, slots=True)
class Taken:
    """JPEG pictures of one film, by the frames' numbers.

    Attributes:
        thumbs: small ones.
        views: larger ones.
        differences: from the film that it was compared with, of the same frames as `views`.
    """

    thumbs: Mapping[int, bytes]
    views: Mapping[int, bytes]
    differences: Mapping[int, bytes]


def taken(
    films: Sequence[Film],
    against: Film | None,
    thumbs: frozenset[int],
    views: frozenset[int],
    workers: int | None = None,
) -> list[Taken]:
    """Take pictures of films, each on a process of its own.

    Args:
        films: which ones.
        against: what their differences are from; None for no differences.
        thumbs: numbers of the frames of the first film that get a small picture.
        views: numbers of the frames of all films that get a larger one.
        workers: processes at once.

    Raises:
        InputError: a film cannot be read.
    """
    none = frozenset[int]()
    wanted = [
        _Wanted(film, None if film == against else against, thumbs if at == 0 else none, views)
        for at, film in enumerate(films)
    ]
    count = min(len(wanted), workers or available_cpus())
    if count == 1:
        return [_taken(one) for one in wanted]
    with Executor(workers=count) as executor:
        return list(executor.map(_taken, wanted))


def _taken(wanted: _Wanted) -> Taken:
    thumbs: dict[int, bytes] = {}
    views: dict[int, bytes] = {}
    differences: dict[int, bytes] = {}
    others: Iterator[VideoFrame | None] = itertools.repeat(None)
    if wanted.against is not None:
        others = wanted.against.pictures()
    last = max((*wanted.thumbs, *wanted.views), default=-1)
    for number, (frame, other) in enumerate(zip(wanted.film.pictures(), others, strict=False)):
        if number > last:
            break
        if number in wanted.thumbs:
            thumbs[number] = jpeg(frame, THUMB_PX, _THUMB_Q)
        if number in wanted.views:
            views[number] = jpeg(frame, VIEW_PX, _VIEW_Q)
            if other is not None and (other.width, other.height) == (frame.width, frame.height):
                differences[number] = jpeg(difference(other, frame), VIEW_PX, _VIEW_Q)
    return Taken(thumbs, views, differences)
