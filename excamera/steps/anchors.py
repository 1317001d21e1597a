"""In mode anchors, code the frames of one batch to which its chunks refer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from excamera.errors import PlanMismatch
from excamera.job.objects import Job, Keys
from excamera.job.plan import Batch, Chunk
from excamera.job.records import AnchorsRecord
from excamera.media.anchors import ChunkAnchors, encode_anchors
from excamera.media.container.output import Stamped
from excamera.media.source.reader import FrameReader
from excamera.steps.pieces import frames_of, marked, piece, raster_of
from mu import Context, Event, at_once
from mu.machine import available_cpus


def anchors(event: Event, context: Context) -> Event:
    """Code the anchors of one batch; a batch of mode rebase has none.

    Args:
        event: `job` and `batch` number.
        context: the store.

    Returns:
        `frames`, the number of pictures that were coded ahead, and `bytes` of all coded frames.

    Raises:
        SourceMismatch: the source does not have exactly the planned frames.
    """
    job = Job.load(context.store, event["job"], event["batch"])
    batch = job.plan.batch(event["batch"])
    if not batch.is_anchored:
        return {"frames": 0, "bytes": 0}

    def make() -> tuple[bytes, AnchorsRecord]:
        with FrameReader.for_plan(job.plan, job.store) as reader:
            read = (raster_of(one) for chunk in batch.chunks for one in reader.read(chunk))
            pictures = marked(read, context)
            lengths = [len(chunk.pts) for chunk in batch.chunks]
            made = encode_anchors(
                pictures, lengths, job.plan.options, available_cpus(), job.plan.even
            )
            next(pictures, None)  # so that it is marked even if nobody asked for more
        frames = _stamped(made, batch)
        return piece(job.plan, frames), AnchorsRecord(
            opening=[len(one.opening) for one in made],
            closing=[len(one.closing) for one in made],
            encode=[{"y_ac_qi": one.y_ac_qi} for one in made],
            bytes=sum(len(frame) for _, frame in frames),
        )

    record = job.once(job.keys.anchors(batch.number), AnchorsRecord, make, context)
    return {"frames": sum(record.opening), "bytes": record.bytes}


def anchors_of(job: Job, batch: Batch) -> list[ChunkAnchors]:
    """The anchors of a batch, one item for each chunk, as the step stored them.

    Raises:
        PlanMismatch: they are not those of the plan's batch.
    """
    key = job.keys.anchors(batch.number)
    data, about = at_once(job.store.get, (key, Keys.record(key)))
    record = AnchorsRecord.from_json(about)
    stamped = frames_of(data)
    frames = iter([frame for _, frame in stamped])
    found = [
        ChunkAnchors(list(islice(frames, before)), list(islice(frames, after)), **encode)
        for before, after, encode in zip(record.opening, record.closing, record.encode, strict=True)
    ]
    of_plan = record.plan == job.plan.digest and len(found) == len(batch.chunks)
    if not of_plan or _stamped(found, batch) != stamped:
        raise PlanMismatch(f"the anchors of batch {batch.number} are of another plan")
    return found


def _stamped(made: Sequence[ChunkAnchors], batch: Batch) -> list[Stamped]:
    """All frames, each with the time of its picture."""

    def times(chunk: Chunk, one: ChunkAnchors) -> list[int]:
        first = [chunk.pts[0]] if chunk.number == 0 else []
        rest = len(one.opening) + len(one.closing) - len(first)
        return [*first, *[chunk.pts[-1]] * rest]

    return [
        stamp
        for chunk, one in zip(batch.chunks, made, strict=True)
        for stamp in zip(times(chunk, one), [*one.opening, *one.closing], strict=True)
    ]
