"""Step 3: join the chunks of one batch into the bytes that go into the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import codec
from excamera.errors import PlanMismatch
from excamera.job.objects import Job
from excamera.job.plan import Batch, Chunk
from excamera.job.records import BatchRecord
from excamera.media.chunk_encoder import check_chunk
from excamera.media.container import ivf
from excamera.media.container.output import output_container, stamped
from excamera.media.join import JoinedChunk, SourceChunk, Timings, join
from excamera.media.source.picture import planes_of
from excamera.media.source.reader import FrameReader
from excamera.steps.encode import CHUNKS, marked
from mu import Context, Event, at_once
from mu.engines.local import available_cpus


def rebase(event: Event, context: Context) -> Event:
    """Join one batch; a batch of one chunk stays as it is.

    Args:
        event: `job` and `batch` number.
        context: the store.

    Returns:
        `frames` (shown) and `bytes` (of coded frames) of the batch.

    Raises:
        SeamMismatch: the joined batch does not decode to the predicted states.
        SourceMismatch: the source does not have exactly the planned frames.
    """
    job = Job.load(context.store, event["job"], event["batch"])

    def make() -> tuple[bytes, BatchRecord]:
        plan = job.plan
        batch = plan.batch(event["batch"])
        container = output_container(plan.container)
        timings = Timings()
        joined = []
        for chunk in _joined(job, batch, context, timings):
            joined.append(chunk)
            context.report({"batch": batch.number, "chunks": len(joined)})
        frames = [
            stamp
            for part, chunk in zip(joined, batch.chunks, strict=True)
            for stamp in stamped(part.frames, chunk.pts, container.codec)
        ]
        data, cues = container.batch(plan, frames, last=plan.is_last(batch))
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
    return {"frames": record.frames, "bytes": record.bytes}


def _joined(job: Job, batch: Batch, context: Context, timings: Timings) -> Iterator[JoinedChunk]:
    def fetched(chunk: Chunk) -> list[bytes]:
        file = ivf.parse(job.store.get(job.keys.chunk(batch.number, chunk.number)), CHUNKS.codec)
        frames = [frame.data for frame in file.frames]
        check_chunk(frames, len(chunk.pts))
        shown = [frame.pts for frame in file.frames if CHUNKS.codec.is_shown(frame.data)]
        if shown != list(chunk.pts):
            raise PlanMismatch(f"chunk {batch.number}/{chunk.number}: wrong timestamps")
        return frames

    coded = at_once(fetched, batch.chunks)
    if len(coded) == 1:
        context.mark("fetched")
        yield JoinedChunk(coded[0], "")
        return
    with FrameReader.for_plan(job.plan, job.store) as reader:
        chunks = (
            SourceChunk(
                frames,
                [codec.Raster.from_planes(*planes_of(one)) for one in reader.read(chunk)],
            )
            for chunk, frames in zip(batch.chunks, coded, strict=True)
        )
        first_frame_qi = job.plan.options.first_frame_qi
        yield from join(marked(chunks, context), first_frame_qi, available_cpus(), timings)
