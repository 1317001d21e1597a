"""Join the chunks of one batch into the bytes that go into the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from excamera.errors import PlanMismatch
from excamera.job.objects import Job
from excamera.job.plan import Batch, Chunk
from excamera.job.records import BatchRecord, ChunkRecord
from excamera.media import join as media
from excamera.media.anchors import Between, join_anchored
from excamera.media.chunk_encoder import check_chunk
from excamera.media.container.output import output_container, stamped
from excamera.media.join import JoinedChunk, SourceChunk, Timings
from excamera.media.source.reader import FrameReader
from excamera.steps.anchors import anchors_of
from excamera.steps.pieces import CODEC, frames_of, marked, raster_of
from excamera.steps.runs import add_run
from excamera.steps.sound import with_sound
from mu import Context, Event, at_once
from mu.machine import available_cpus


def join(event: Event, context: Context) -> Event:
    """Join one batch; in mode rebase, a batch of one chunk stays as it is.

    Args:
        event: `job` and `batch` number.
        context: the store.

    Returns:
        `frames` (shown) and `bytes` (of coded frames) of the batch.

    Raises:
        SeamMismatch: the joined batch does not decode to the predicted states.
        PlanMismatch: a piece or the sound is missing, or of another plan.
        SourceMismatch: the source does not have exactly the planned frames.
    """
    job = Job.load(context.store, event["job"], event["batch"])

    def make() -> tuple[bytes, BatchRecord]:
        plan = job.plan
        batch = plan.batch(event["batch"])
        container = output_container(plan.container)
        timings = Timings()
        joined = []
        chunks = (
            _anchored(job, batch, context)
            if batch.is_anchored
            else _rebased(job, batch, context, timings)
        )
        for chunk in chunks:
            joined.append(chunk)
            context.report({"batch": batch.number, "chunks": len(joined)})
        frames = [
            stamp
            for part, chunk in zip(joined, batch.chunks, strict=True)
            for stamp in stamped(part.frames, chunk.pts, container.codec)
        ]
        data, cues = container.batch(plan, frames, last=plan.is_last(batch))
        data, cues = with_sound(job, batch, container, data, cues)
        return data, BatchRecord(
            frames=len(batch.pts),
            packets=len(frames),
            pts=batch.pts_digest,
            bytes=sum(len(frame) for _, frame in frames),
            key_frames=sum(container.codec.is_key_frame(frame) for _, frame in frames),
            cues=cues,
            states=[part.digest for part in joined],
            timings=asdict(timings),
        )

    record = job.once(job.keys.cluster(event["batch"]), BatchRecord, make, context)
    add_run(job, event["batch"], record)
    return {"frames": record.frames, "bytes": record.bytes}


def _anchored(job: Job, batch: Batch, context: Context) -> Iterator[JoinedChunk]:
    """The chunks with what was coded ahead; the source is not needed."""

    def fetched(chunk: Chunk) -> Between:
        frames = _fetched(job, batch, batch.ordinary(chunk))
        if not frames:
            return Between([], "")
        record = job.finished(job.keys.chunk(batch.number, chunk.number), ChunkRecord)
        if record is None:
            raise PlanMismatch(f"chunk {batch.number}/{chunk.number}: missing, or of another plan")
        if not all(CODEC.is_shown(frame) and not CODEC.is_key_frame(frame) for frame in frames):
            raise PlanMismatch(f"chunk {batch.number}/{chunk.number}: not only ordinary frames")
        return Between(frames, record.digest)

    between = at_once(fetched, batch.chunks)
    anchors = anchors_of(job, batch)
    context.mark("fetched")
    yield from join_anchored(anchors, between)


def _rebased(job: Job, batch: Batch, context: Context, timings: Timings) -> Iterator[JoinedChunk]:
    """The chunks as the published method joins them."""

    def fetched(chunk: Chunk) -> list[bytes]:
        frames = _fetched(job, batch, chunk)
        check_chunk(frames, len(chunk.pts))
        return frames

    coded = at_once(fetched, batch.chunks)
    if len(coded) == 1:
        context.mark("fetched")
        yield JoinedChunk(coded[0], "")
        return
    with FrameReader.for_plan(job.plan, job.store) as reader:
        chunks = (
            SourceChunk(frames, [raster_of(one) for one in reader.read(chunk)])
            for chunk, frames in zip(batch.chunks, coded, strict=True)
        )
        first_frame_qi = job.plan.options.first_frame_qi
        yield from media.join(marked(chunks, context), first_frame_qi, available_cpus(), timings)


def _fetched(job: Job, batch: Batch, chunk: Chunk) -> list[bytes]:
    """The frames of a chunk's object, which must have the chunk's times."""
    stamps = frames_of(job.store.get(job.keys.chunk(batch.number, chunk.number)))
    if [pts for pts, frame in stamps if CODEC.is_shown(frame)] != list(chunk.pts):
        raise PlanMismatch(f"chunk {batch.number}/{chunk.number}: wrong timestamps")
    return [frame for _, frame in stamps]
