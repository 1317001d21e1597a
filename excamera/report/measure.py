"""Measures results against their source, and takes pictures of both.

Each of several processes decodes all of source and results and measures every so-many-th block of
frames: measuring takes many times as long as decoding, and no file has to be able to seek. Threads
of one process share what it decodes: a cloud function reads films by ranges, and has its memory
once. What a process holds does not depend on the film's length but for two numbers a frame.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from excamera.errors import FrameSizeDiffers
from excamera.media.quality import mse, of_one_depth, psnr_db, ssim, ssim_db
from excamera.media.source.picture import planes_of
from excamera.report.facts import EQUAL_DB, Quality, Run
from excamera.report.films import Film
from excamera.report.jpegs import difference, jpeg
from mu.machine import available_cpus

_BLOCK = 16
"""Frames that a process measures before others have their turn."""

_MOST_PROCESSES = 8
"""More would only decode the same films more often: measuring takes some eight times as long."""

THUMB_PX, VIEW_PX = 120, 640
"""Widths of the small pictures below the charts, and of those of one frame."""

_THUMB_Q, _VIEW_Q = 8, 4


@dataclass(frozen=True, slots=True)
class _Part:
    """What one process measures: the blocks whose number leaves `part` if divided by `of`."""

    reference: Film
    results: Sequence[Film]
    part: int = 0
    of: int = 1

    def has(self, number: int) -> bool:
        """Whether a frame is in it."""
        return number // _BLOCK % self.of == self.part


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


def measured(
    reference: Film,
    results: Sequence[Film],
    workers: int | None = None,
    *,
    threads: bool = False,
) -> list[Measured]:
    """Measure results against what they were made of, on several processes, at most eight.

    Args:
        reference: what they were made of; it is decoded once for all of them.
        results: what is measured, with the same spans.
        workers: processes or threads; None for one per CPU.
        threads: whether threads of this process do it.

    Returns:
        What was found of each result.

    Raises:
        FrameSizeDiffers: their pictures differ in size.
        InputError: one of them cannot be read.
    """
    of = min(workers or available_cpus(), _MOST_PROCESSES)
    if threads:
        with ThreadPoolExecutor(of) as pool:
            return _measured(_Part(reference, results), pool, 2 * of)
    parts = [_Part(reference, results, part, of) for part in range(of)]
    if of == 1:
        found = [_measured(parts[0])]
    else:
        from mu import Executor  # a function that uses threads begins faster without it

        with Executor(workers=of) as executor:
            found = list(executor.map(_measured, parts))
    return [_put_together(some) for some in zip(*found, strict=True)]


def _put_together(parts: Sequence[Measured]) -> Measured:
    """What all parts have found of one result."""
    numbers = np.concatenate([one.numbers for one in parts])
    order = np.argsort(numbers)
    return Measured(
        numbers[order],
        np.concatenate([one.mse for one in parts])[order],
        np.concatenate([one.ssim for one in parts])[order],
        parts[0].more,
    )


def _measured(
    part: _Part, pool: ThreadPoolExecutor | None = None, ahead: int = 0
) -> list[Measured]:
    """Measure a part of the frames of each result.

    Args:
        part: which.
        pool: compares frames while others are decoded; None for this thread alone.
        ahead: how many frames may be on their way in it.
    """
    rows = [_Row() for _ in part.results]
    waiting: deque[tuple[_Row, Future[tuple[float, float]]]] = deque()
    films = [part.reference, *part.results]
    for ours, *theirs in itertools.zip_longest(*(film.pictures() for film in films)):
        for row, result, other in zip(rows, part.results, theirs, strict=True):
            if ours is None or other is None:
                row.more += (ours is not None) - (other is not None)
                continue
            number, source = ours
            if not result.is_rung:
                _check_sizes(source, other[1], number, part.reference, result)
            if not part.has(number):
                continue
            row.numbers.append(number)
            pair = result.fitted(source, other[1]), other[1]
            if pool is None:
                row.found.append(_compared(*pair))
                continue
            waiting.append((row, pool.submit(_compared, *pair)))
            if len(waiting) > ahead:
                _take(waiting)
    while waiting:
        _take(waiting)
    return [row.measured for row in rows]


@dataclass(slots=True)
class _Row:
    """What was found of one result so far."""

    numbers: list[int] = field(default_factory=list)
    found: list[tuple[float, float]] = field(default_factory=list)
    more: int = 0

    @property
    def measured(self) -> Measured:
        """The same as columns."""
        values = np.array(self.found, np.float64).reshape(-1, 2)
        numbers = np.array(self.numbers, np.int64)
        return Measured(numbers, values[:, 0], values[:, 1], self.more)


def _take(waiting: deque[tuple[_Row, Future[tuple[float, float]]]]) -> None:
    row, compared = waiting.popleft()
    row.found.append(compared.result())


def _compared(a: VideoFrame, b: VideoFrame) -> tuple[float, float]:
    """Mean squared error and SSIM of the luma."""
    x, y = of_one_depth(planes_of(a)[0], planes_of(b)[0])
    return mse(x, y), ssim(x, y)


def _check_sizes(a: VideoFrame, b: VideoFrame, number: int, reference: Film, result: Film) -> None:
    if (a.width, a.height) != (b.width, b.height):
        raise FrameSizeDiffers(
            f"{reference.path or 'the source'} is {a.width}x{a.height}, "
            f"{result.path} is {b.width}x{b.height} at frame {number}: "
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
    *,
    threads: bool = False,
) -> list[Taken]:
    """Take pictures of films, each on a process of its own.

    Args:
        films: which ones.
        against: what their differences are from; None for no differences.
        thumbs: numbers of the frames of the first film that get a small picture.
        views: numbers of the frames of all films that get a larger one.
        workers: processes at once.
        threads: whether this process alone does it, and decodes each film once.

    Raises:
        InputError: a film cannot be read.
    """
    none = frozenset[int]()
    wanted = [
        _Wanted(film, None if film == against else against, thumbs if at == 0 else none, views)
        for at, film in enumerate(films)
    ]
    if threads:
        return _taken_together(wanted)
    count = min(len(wanted), workers or available_cpus())
    if count == 1:
        return [_taken(one) for one in wanted]
    from mu import Executor  # as above

    with Executor(workers=count) as executor:
        return list(executor.map(_taken, wanted))


def _taken(wanted: _Wanted) -> Taken:
    album = _Album(wanted)
    others: Iterator[tuple[int, VideoFrame] | None] = itertools.repeat(None)
    if wanted.against is not None:
        others = wanted.against.pictures()
    for (number, frame), other in zip(wanted.film.pictures(), others, strict=False):
        if number > album.last:
            break
        album.add(number, frame, None if other is None else other[1])
    return album.taken


def _taken_together(wanted: Sequence[_Wanted]) -> list[Taken]:
    """The pictures of films that are decoded side by side, to the end of the shortest."""
    albums = [_Album(one) for one in wanted]
    films = [one.film for one in wanted]
    last = max(album.last for album in albums)
    for found in zip(*(film.pictures() for film in films), strict=False):
        number = found[0][0]
        if number > last:
            break
        frames = [frame for _, frame in found]
        for one, album, frame in zip(wanted, albums, frames, strict=True):
            other = None if one.against is None else frames[films.index(one.against)]
            album.add(number, frame, other)
    return [album.taken for album in albums]


class _Album:
    """Takes pictures of one film as its frames come."""

    def __init__(self, wanted: _Wanted) -> None:
        self._wanted = wanted
        self._thumbs: dict[int, bytes] = {}
        self._views: dict[int, bytes] = {}
        self._differences: dict[int, bytes] = {}
        self.last = max((*wanted.thumbs, *wanted.views), default=-1)

    @property
    def taken(self) -> Taken:
        """What was taken so far."""
        return Taken(self._thumbs, self._views, self._differences)

    def add(self, number: int, frame: VideoFrame, other: VideoFrame | None) -> None:
        """Take what is wanted of a frame; `other` is that of what the film is compared with."""
        if number in self._wanted.thumbs:
            self._thumbs[number] = jpeg(frame, THUMB_PX, _THUMB_Q)
        if number in self._wanted.views:
            self._views[number] = jpeg(frame, VIEW_PX, _VIEW_Q)
            if other is None:
                return
            other = self._wanted.film.fitted(other, frame)
            if (other.width, other.height) == (frame.width, frame.height):
                self._differences[number] = jpeg(difference(other, frame), VIEW_PX, _VIEW_Q)
