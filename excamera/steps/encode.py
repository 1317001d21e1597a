"""Encode one chunk."""

from __future__ import annotations

from excamera.job.objects import Job
from excamera.job.plan import Batch, Chunk
from excamera.job.records import ChunkRecord
from excamera.media.anchors import encode_between
from excamera.media.chunk_encoder import encode_chunk
from excamera.media.container.output import Stamped, stamped
from excamera.media.source.reader import FrameReader
from excamera.steps.anchors import anchors_of
from excamera.steps.pieces import CODEC, marked, piece, raster_of
from mu import Context, Event

_open_readers: dict[str, FrameReader] = {}
"""The source that this process read last, still open: most workers continue in it."""


def encode(event: Event, context: Context) -> Event:
    """Encode one chunk to its IVF object; in mode anchors, without what was coded ahead.

    Args:
        event: `job`, `batch` and `chunk` numbers.
        context: the store.

    Returns:
        `frames` (shown) of the chunk, and `bytes` of what was encoded.

    Raises:
        SourceMismatch: the source does not have exactly the planned frames.
        ChunkError: the encoder did not make a chunk of them.
    """
    job = Job.load(context.store, event["job"], event["batch"])

    def make() -> tuple[bytes, ChunkRecord]:
        batch = job.plan.batch(event["batch"])
        chunk = batch.chunks[event["chunk"]]
        if batch.is_anchored:
            frames, digest = _between(job, batch, chunk, context)
        else:
            frames, digest = _whole(job, chunk, context), ""
        size = sum(len(frame) for _, frame in frames)
        record = ChunkRecord(frames=len(chunk.pts), bytes=size, digest=digest)
        return piece(job.plan, frames), record

    key = job.keys.chunk(event["batch"], event["chunk"])
    record = job.once(key, ChunkRecord, make, context)
    return {"frames": record.frames, "bytes": record.bytes}


def _whole(job: Job, chunk: Chunk, context: Context) -> list[Stamped]:
    """All frames of a chunk, by libvpx."""
    pictures = marked(_reader(job).read(chunk), context)
    return stamped(encode_chunk(pictures, job.plan.options), chunk.pts, CODEC)


def _between(job: Job, batch: Batch, chunk: Chunk, context: Context) -> tuple[list[Stamped], str]:
    """The frames of a chunk that were not coded ahead, by our encoder; and their digest."""
    ordinary = batch.ordinary(chunk)
    if not ordinary.pts:
        context.mark("fetched")
        return [], ""
    anchors = anchors_of(job, batch)[: chunk.number + 1]
    pictures = marked(map(raster_of, _reader(job).read(ordinary)), context)
    coded = encode_between(anchors, chunk.number, pictures, job.plan.options)
    return stamped(coded.frames, ordinary.pts, CODEC), coded.digest


def _reader(job: Job) -> FrameReader:
    source = job.plan.source
    place = f"{job.plan.digest} {source.path} {source.key}"
    if place not in _open_readers:
        for old in _open_readers.values():
            old.close()
        _open_readers.clear()
        _open_readers[place] = FrameReader.for_plan(job.plan, job.store)
    return _open_readers[place]
