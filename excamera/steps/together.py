"""A plain batch in all sizes of a ladder, by one pass over its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from av.video.frame import VideoFrame

from excamera.job.batches import Batch
from excamera.job.objects import Job
from excamera.job.records import BatchRecord
from excamera.media.plain import PlainEncoder
from excamera.media.source.framing import sized
from excamera.steps.join import join
from excamera.steps.modes import mode_of
from excamera.steps.pictures import Pictures
from mu import Context


def encode_together(
    job: Job, sizes: Sequence[Job], batch: Batch, threads: int, context: Context
) -> list[BatchRecord]:
    """Encode a batch in several sizes, and join each.

    No picture is kept: each goes to the encoders of all sizes before the next is read.

    Args:
        job: the ladder's.
        sizes: those that are missing, see `Job.rungs`.
        batch: of one plain chunk.
        threads: how many encoders may work at the same time; the result is the same for any number.
        context: of the task.

    Raises:
        SourceMismatch: the source does not have exactly the planned frames.
        ChunkError: an encoder did not make a chunk of them.
        SeamMismatch: a chunk does not decode to the planned number of pictures.
    """
    [chunk] = batch.chunks
    modes = [mode_of(one, batch, batch.chunks, threads, context) for one in sizes]
    plans = [one.plan for one in sizes]
    encoders = [PlainEncoder(one.batch_options, one.geometry, one.rate) for one in plans]
    pictures = Pictures(job, batch, batch.chunks, _as_it_is, threads, context)
    with ThreadPoolExecutor(min(threads, len(sizes)), thread_name_prefix="encode") as pool:
        for picture in pictures.in_turn(chunk):
            scaled = [sized(picture, one.geometry) for one in plans]
            for _ in pool.map(PlainEncoder.add, encoders, scaled):
                pass
        coded = list(pool.map(PlainEncoder.finish, encoders))
    context.report({"batch": batch.number, "share": 0, "frames": len(chunk.pts)})
    records = []
    for one, mode, made in zip(sizes, modes, coded, strict=True):
        with mode:
            records.append(join(one, batch, mode, [made], context))
    return records


def _as_it_is(frame: VideoFrame) -> VideoFrame:
    return frame
