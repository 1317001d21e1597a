"""The pictures of a share: read once and kept as far as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from av.video.frame import VideoFrame

from excamera.job.batches import Batch, Chunk
from excamera.job.geometry import Geometry
from excamera.job.objects import Job
from excamera.media.source.framing import sized
from excamera.media.source.reader import FrameReader
from mu import Context
from mu.machine import memory_for_data

Picture = TypeVar("Picture")

_open_readers: dict[str, FrameReader] = {}
"""The source that this process read last, still open: most workers continue in it."""


class Reel:
    """The pictures of a share as its source has them, read once for all sizes of a ladder.

    Args:
        job: the whole ladder's.
        threads: that may decode.
    """

    def __init__(self, job: Job, threads: int) -> None:
        self._job = job
        self._threads = threads
        self._kept: dict[int, VideoFrame] = {}

    @classmethod
    def of(cls, job: Job, chunks: Sequence[Chunk], threads: int) -> Reel | None:
        """A reel for a share; None if its pictures do not fit into memory with those of a size."""
        geometry = job.plan.geometry
        pixels = geometry.width * geometry.height
        largest = max(width * height for width, height in (one.size for one in job.plan.rungs))
        size = sum(len(chunk.pts) for chunk in chunks) * (pixels + largest) * 3 // 2
        return cls(job, threads) if size <= memory_for_data() else None

    def read(self, chunk: Chunk, geometry: Geometry) -> Iterator[VideoFrame]:
        """The pictures of a chunk in the size of a geometry."""
        numbers = range(chunk.first_frame, chunk.first_frame + len(chunk.pts))
        known = all(number in self._kept for number in numbers)
        frames = map(self._kept.__getitem__, numbers) if known else self._keeping(chunk)
        return (sized(frame, geometry) for frame in frames)

    def _keeping(self, chunk: Chunk) -> Iterator[VideoFrame]:
        read = _reader(self._job, self._threads).read(chunk)
        for number, frame in enumerate(read, chunk.first_frame):
            self._kept[number] = frame
            yield frame


class Pictures(Generic[Picture]):
    """Reads the pictures of a share's chunks, in order.

    If all of them fit into memory, one reader decodes each of them once, ahead of those who use
    them. If not, the user of a chunk reads it, with a reader of its own.
    """

    def __init__(
        self,
        job: Job,
        batch: Batch,
        chunks: Sequence[Chunk],
        made: Callable[[VideoFrame], Picture],
        threads: int,
        context: Context,
        reel: Reel | None = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            job: with the plan.
            batch: of the share.
            chunks: all of the share.
            made: makes a picture of what is read.
            threads: that may decode.
            context: its timeline gets the mark "fetched" after the last picture.
            reel: has the pictures, if `job` is one size of several.
        """
        self._reel = reel
        self._job = job
        self._batch = batch
        self._made = made
        self._threads = threads
        self._context = context
        self._last = chunks[-1]
        geometry = job.plan.geometry
        frames = sum(len(chunk.pts) for chunk in chunks)
        size = frames * geometry.width * geometry.height * 3 // 2
        self.fit = size <= memory_for_data()
        self._kept: dict[int, list[Picture]] = {}

    def all_of(self, chunks: Iterable[Chunk]) -> Iterator[Picture]:
        """The pictures of whole chunks, which `of` need not read again if all fit."""
        for chunk in chunks:
            kept = self._kept.setdefault(chunk.number, []) if self.fit else None
            for picture in self.in_turn(chunk):
                if kept is not None:
                    kept.append(picture)
                yield picture

    def of(self, chunk: Chunk) -> Iterable[Picture]:
        """The pictures of a chunk, or of a part of it, for one user.

        They are a list, or are read as the user asks for them.
        """
        if not chunk.pts:
            self._mark(chunk)
            return []
        kept = self._kept.pop(chunk.number, None)
        if kept is not None:
            whole = self._batch.chunks[chunk.number]
            start = chunk.first_frame - whole.first_frame
            return kept[start : start + len(chunk.pts)]
        if self.fit:
            return list(self.in_turn(chunk))
        return self._alone(chunk)

    def in_turn(self, chunk: Chunk) -> Iterator[Picture]:
        """The pictures of a chunk, for one who takes the chunks in order; none is kept."""
        if self._reel is not None:
            return self._given(self._reel.read(chunk, self._job.plan.geometry), chunk)
        return self._given(_reader(self._job, self._threads).read(chunk), chunk)

    def _alone(self, chunk: Chunk) -> Iterator[Picture]:
        with FrameReader.for_plan(self._job.plan, self._job.store) as reader:
            yield from self._given(reader.read(chunk), chunk)

    def _given(self, frames: Iterable[VideoFrame], chunk: Chunk) -> Iterator[Picture]:
        yield from map(self._made, frames)
        self._mark(chunk)

    def _mark(self, chunk: Chunk) -> None:
        if chunk.number == self._last.number:
            self._context.mark("fetched")


def _reader(job: Job, threads: int) -> FrameReader:
    source = job.plan.source
    place = f"{job.plan.digest} {source.path} {source.key} {threads}"
    if place not in _open_readers:
        for old in _open_readers.values():
            old.close()
        _open_readers.clear()
        _open_readers[place] = FrameReader.for_plan(job.plan, job.store, threads)
    return _open_readers[place]
