"""Step 2: encode one chunk with libvpx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from excamera.job.objects import Job
from excamera.job.records import ChunkRecord
from excamera.media.chunk_encoder import encode_chunk
from excamera.media.container.output import Ivf, stamped
from excamera.media.source.reader import FrameReader
from mu import Context, Event

Item = TypeVar("Item")

CHUNKS = Ivf()
"""The container of chunks."""

_open_readers: dict[str, FrameReader] = {}
"""The source that this process read last, still open: most workers continue in it."""


def encode(event: Event, context: Context) -> Event:
    """Encode one chunk to its IVF object.

    Args:
        event: `job`, `batch` and `chunk` numbers.
        context: the store.

    Returns:
        `frames` (shown) and `bytes` of the chunk.

    Raises:
        SourceMismatch: the source does not have exactly the planned frames.
        ChunkError: libvpx did not make a chunk of them.
    """
    job = Job.load(context.store, event["job"], event["batch"])

    def make() -> tuple[bytes, ChunkRecord]:
        plan = job.plan
        chunk = plan.batch(event["batch"]).chunks[event["chunk"]]
        frames = _reader(job).read(chunk)
        coded = encode_chunk(marked(frames, context), plan.options)
        data, _ = CHUNKS.batch(plan, stamped(coded, chunk.pts, CHUNKS.codec), last=False)
        record = ChunkRecord(frames=len(chunk.pts), bytes=sum(map(len, coded)))
        return CHUNKS.header(plan, len(coded)) + data, record

    key = job.keys.chunk(event["batch"], event["chunk"])
    record = job.once(key, ChunkRecord, make, context)
    return {"frames": record.frames, "bytes": record.bytes}


def marked(items: Iterable[Item], context: Context) -> Iterator[Item]:
    """The items; the timeline gets the mark "fetched" after the last one.

    A worker reads its source while it works: after the mark only the last item's work is left.
    """
    yield from items
    context.mark("fetched")


def _reader(job: Job) -> FrameReader:
    source = job.plan.source
    place = f"{job.plan.digest} {source.path} {source.key}"
    if place not in _open_readers:
        for old in _open_readers.values():
            old.close()
        _open_readers.clear()
        _open_readers[place] = FrameReader.for_plan(job.plan, job.store)
    return _open_readers[place]
