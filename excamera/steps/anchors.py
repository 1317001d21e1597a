"""In mode anchors, code the frames of a batch to which its shares refer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice

from av.video.frame import VideoFrame

import codec
from excamera.errors import PlanMismatch
from excamera.job.batches import Batch, Chunk
from excamera.job.objects import Job, Keys
from excamera.job.records import AnchorsRecord
from excamera.media.anchors import ChunkAnchors, Opened, encode_anchors
from excamera.media.container.protocol import Stamped
from excamera.media.lookahead import Lookahead
from excamera.media.source.reader import FrameReader
from excamera.steps.pictures import Reel
from excamera.steps.pieces import frames_of, marked, piece, raster_of
from mu import Context, Event, at_once
from mu.machine import available_cpus


def anchors(event: Event, context: Context) -> Event:
    """Code the anchors of a batch that has several shares.

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
    threads = available_cpus()
    reel = Reel.of(job, batch.chunks, threads) if job.plan.rungs else None
    records = [_coded(one, batch, threads, context, reel) for one in job.rungs()]
    return {"frames": sum(records[0].opening), "bytes": sum(one.bytes for one in records)}


def _coded(
    job: Job, batch: Batch, threads: int, context: Context, reel: Reel | None
) -> AnchorsRecord:
    def make() -> tuple[bytes, AnchorsRecord]:
        with ExitStack() as opened_here:
            shown: Callable[[Chunk], Iterator[VideoFrame]]
            if reel is not None:
                shown = partial(reel.read, geometry=job.plan.geometry)
            else:
                reader = FrameReader.for_plan(job.plan, job.store, threads)
                shown = opened_here.enter_context(reader).read
            read = (raster_of(one) for chunk in batch.chunks for one in shown(chunk))
            pictures = marked(read, context)
            opened = opened_batch(job, batch, pictures, threads)
            made = [one.anchors for one in opened]
            next(pictures, None)  # so that it is marked even if nobody asked for more
        frames = _stamped(made, batch)
        return piece(job.plan, frames), AnchorsRecord(
            opening=[len(one.opening) for one in made],
            closing=[len(one.closing) for one in made],
            encode=[{"y_ac_qi": one.y_ac_qi} for one in made],
            bytes=sum(len(frame) for _, frame in frames),
        )

    return job.once(job.keys.anchors(batch.number), AnchorsRecord, make, context)


def opened_batch(
    job: Job, batch: Batch, pictures: Iterable[codec.Raster], threads: int
) -> Iterator[Opened]:
    """The chunks of a batch, each as soon as its anchor is coded.

    Args:
        job: with the plan.
        batch: the batch.
        pictures: all of it, in order.
        threads: how many share the work on a picture.
    """
    lengths = [len(chunk.pts) for chunk in batch.chunks]
    options = job.plan.batch_options
    ahead = Lookahead(pictures, lengths, options.exact_crf, threads)
    return encode_anchors(ahead, lengths, options, threads, job.plan.even)


def stored_anchors(job: Job, batch: Batch) -> tuple[list[ChunkAnchors], AnchorsRecord]:
    """The anchors of a batch, one item for each chunk, as the step stored them; and their record.

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
    return found, record


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
