"""Join the chunks of one batch into the bytes that go into the result."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from excamera.job.batches import Batch
from excamera.job.objects import Job
from excamera.job.records import BatchRecord
from excamera.job.tally import work_of_batch
from excamera.media.container.output import output_container
from excamera.media.container.protocol import stamped
from excamera.media.join import CodedChunk
from excamera.steps.modes import Mode
from excamera.steps.runs import add_run
from excamera.steps.sound import with_sound
from mu import Context


def join(
    job: Job,
    batch: Batch,
    mode: Mode,
    coded: Iterable[CodedChunk],
    context: Context,
    *,
    others_s: Sequence[float] = (),
) -> BatchRecord:
    """Join a batch and store it, unless somebody has, and add it to the result.

    Args:
        job: with the plan.
        batch: the batch.
        mode: a share of it.
        coded: all its chunks, in order.
        context: of the task.
        others_s: seconds that the calls for the batch's other shares took.

    Raises:
        PlanMismatch: a chunk is not what it should be, or the sound is missing.
        SeamMismatch: the joined batch does not decode to the predicted states.
        SourceMismatch: the source does not have exactly the planned frames.
    """

    def make() -> tuple[bytes, BatchRecord]:
        plan = job.plan
        container = output_container(plan.container, plan.options.codec)
        joined = list(mode.join(coded))
        frames = [
            stamp
            for part, chunk in zip(joined, batch.chunks, strict=True)
            for stamp in stamped(part.frames, chunk.pts, container.codec, part.order)
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
            config=joined[0].config.hex(),
            timings=asdict(mode.timings),
            work=work_of_batch(
                1 + len(others_s),
                time.time() - mode.began + sum(others_s),
                None if mode.ahead is None else mode.ahead.finished - mode.ahead.started,
            ),
        )

    record = job.once(job.keys.cluster(batch.number), BatchRecord, make, context)
    add_run(job, batch.number, record)
    return record
