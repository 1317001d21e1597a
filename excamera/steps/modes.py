"""How the chunks of a share are encoded, and those of a batch joined, in each mode."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol, Self

from av.video.frame import VideoFrame

import codec
from excamera.errors import PlanMismatch
from excamera.job.batches import Batch, Chunk
from excamera.job.objects import Job
from excamera.job.records import AnchorsRecord
from excamera.media import join as media
from excamera.media.anchors import ChunkAnchors, encode_between, join_anchored, opened_chunks
from excamera.media.chunk_encoder import check_chunk, encode_chunk
from excamera.media.join import CodedChunk, JoinedChunk, SourceChunk, Timings
from excamera.media.plain import check_plain, encode_plain
from excamera.steps.anchors import opened_batch, stored_anchors
from excamera.steps.pictures import Pictures, Reel
from excamera.steps.pieces import CODEC, raster_of
from mu import Context


class Mode(Protocol):
    """One share of a batch in one of the modes; its threads live while it is entered.

    Attributes:
        chunks: of the share.
        timings: of joining.
        ahead: the record of what a call of anchors has coded; None if there was none.
        began: Unix time when this call began.
    """

    chunks: Sequence[Chunk]
    timings: Timings
    ahead: AnchorsRecord | None
    began: float

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def coded_of(self, chunk: Chunk) -> Chunk:
        """The part of a chunk that its share encodes."""

    def encode(self) -> Iterator[CodedChunk]:
        """Begin to encode all chunks of the share; they come in order as they are ready."""

    def join(self, coded: Iterable[CodedChunk]) -> Iterator[JoinedChunk]:
        """Join the chunks of the whole batch.

        Raises:
            PlanMismatch: a chunk is not what it should be.
            SeamMismatch: the result does not decode to the predicted states.
        """


def mode_of(
    job: Job,
    batch: Batch,
    chunks: Sequence[Chunk],
    threads: int,
    context: Context,
    reel: Reel | None = None,
) -> Mode:
    """The share with these chunks, in the mode of its batch; `reel` has its pictures, if given."""
    if batch.mode == "plain":
        return Plain(job, batch, chunks, threads, context, reel)
    return (Anchored if batch.is_anchored else Rebased)(job, batch, chunks, threads, context, reel)


class _Share:
    """What all modes have."""

    def __init__(
        self,
        job: Job,
        batch: Batch,
        chunks: Sequence[Chunk],
        threads: int,
        context: Context,
        reel: Reel | None = None,
    ) -> None:
        self.chunks = chunks
        self._reel = reel
        self.timings = Timings()
        self.ahead: AnchorsRecord | None = None
        self.began = time.time()
        self._job = job
        self._batch = batch
        self._threads = threads
        self._context = context
        self._whole = len(chunks) == len(batch.chunks)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encode")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class Anchored(_Share):
    """Chunks between anchors, encoded by our encoder."""

    _anchors: list[ChunkAnchors] | None = None

    def coded_of(self, chunk: Chunk) -> Chunk:
        """See `Mode.coded_of`: what was not coded ahead."""
        return self._batch.ordinary(chunk)

    def encode(self) -> Iterator[CodedChunk]:
        """See `Mode.encode`; if the share is the whole batch, the anchors are coded first.

        A chunk begins as soon as its anchor is coded, beside those that follow.
        """
        pictures = Pictures(
            self._job, self._batch, self.chunks, raster_of, self._threads, self._context, self._reel
        )
        if self._whole:
            everything = pictures.all_of(self.chunks)
            opened = opened_batch(self._job, self._batch, everything, self._threads)
            self._anchors = []
        else:
            self._anchors = self._stored()
            first, end = self.chunks[0].number, self.chunks[-1].number + 1
            opened = islice(opened_chunks(self._anchors[:end]), first, None)
        begun: list[Future[CodedChunk]] = []
        options = self._job.plan.batch_options
        for one, chunk in zip(opened, self.chunks, strict=True):
            if self._whole:
                self._anchors.append(one.anchors)
            source = pictures.of(self.coded_of(chunk))
            begun.append(self._pool.submit(encode_between, one, source, options))
        return (future.result() for future in begun)

    def join(self, coded: Iterable[CodedChunk]) -> Iterator[JoinedChunk]:
        """See `Mode.join`; the source is not needed."""
        if self._anchors is None:
            self._anchors = self._stored()
        yield from join_anchored(self._anchors, map(self._checked, coded))

    def _stored(self) -> list[ChunkAnchors]:
        anchors, self.ahead = stored_anchors(self._job, self._batch)
        return anchors

    def _checked(self, chunk: CodedChunk) -> CodedChunk:
        if not all(CODEC.is_shown(one) and not CODEC.is_key_frame(one) for one in chunk.frames):
            raise PlanMismatch(f"batch {self._batch.number}: not only ordinary frames in a chunk")
        return chunk


class Rebased(_Share):
    """The published method: chunks encoded by libvpx, then rebased."""

    def __init__(
        self,
        job: Job,
        batch: Batch,
        chunks: Sequence[Chunk],
        threads: int,
        context: Context,
        reel: Reel | None = None,
    ) -> None:
        super().__init__(job, batch, chunks, threads, context, reel)
        self._kept: dict[int, list[VideoFrame]] = {}

    def coded_of(self, chunk: Chunk) -> Chunk:
        """See `Mode.coded_of`: all of it."""
        return chunk

    def encode(self) -> Iterator[CodedChunk]:
        """See `Mode.encode`."""
        pictures = Pictures(
            self._job, self._batch, self.chunks, _as_it_is, self._threads, self._context, self._reel
        )
        begun: list[Future[list[bytes]]] = []
        for chunk in self.chunks:
            source = pictures.of(chunk)
            if self._whole and isinstance(source, list):
                self._kept[chunk.number] = source
            begun.append(self._pool.submit(encode_chunk, source, self._job.plan.batch_options))
        return (CodedChunk(future.result()) for future in begun)

    def join(self, coded: Iterable[CodedChunk]) -> Iterator[JoinedChunk]:
        """See `Mode.join`; a batch of one chunk stays as it is."""
        if len(self._batch.chunks) == 1:
            yield from (JoinedChunk(chunk.frames, "") for chunk in coded)
            return
        pictures = Pictures(
            self._job, self._batch, self._batch.chunks, _as_it_is, self._threads, self._context
        )
        chunks = (
            SourceChunk(self._checked(one, chunk), self._rasters(pictures, chunk))
            for chunk, one in zip(self._batch.chunks, coded, strict=True)
        )
        first_frame_qi = self._job.plan.batch_options.first_frame_qi
        yield from media.join(chunks, first_frame_qi, self._threads, self.timings)

    def _rasters(self, pictures: Pictures[VideoFrame], chunk: Chunk) -> list[codec.Raster]:
        kept = self._kept.pop(chunk.number, None)
        return [raster_of(one) for one in (pictures.in_turn(chunk) if kept is None else kept)]

    def _checked(self, coded: CodedChunk, chunk: Chunk) -> list[bytes]:
        check_chunk(coded.frames, len(chunk.pts))
        return coded.frames


class Plain(_Share):
    """A chunk of another codec than VP8, by that codec's own encoder."""

    def coded_of(self, chunk: Chunk) -> Chunk:
        """See `Mode.coded_of`: all of it."""
        return chunk

    def encode(self) -> Iterator[CodedChunk]:
        """See `Mode.encode`; pictures go to the encoder as they are read, and none is kept."""
        plan = self._job.plan
        pictures = Pictures(
            self._job, self._batch, self.chunks, _as_it_is, self._threads, self._context, self._reel
        )
        for chunk in self.chunks:
            source = pictures.in_turn(chunk)
            yield encode_plain(source, plan.batch_options, plan.geometry, plan.rate)

    def join(self, coded: Iterable[CodedChunk]) -> Iterator[JoinedChunk]:
        """See `Mode.join`; nothing changes, and everything is decoded and counted."""
        name, bits = self._job.plan.options.codec, self._job.plan.geometry.bits
        for one, chunk in zip(coded, self._batch.chunks, strict=True):
            started = time.perf_counter()
            check_plain(one, name, len(chunk.pts), self._threads, bits)
            self.timings.verify_s += time.perf_counter() - started
            yield JoinedChunk(one.frames, "", one.order, one.config)


def _as_it_is(frame: VideoFrame) -> VideoFrame:
    return frame
