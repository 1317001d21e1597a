"""Step 3: join the chunks of one batch into the bytes that go into the result."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction

import codec
from excamera.errors import PlanMismatch
from excamera.job.objects import Keys, finish, finished, load
from excamera.job.plan import Batch, Chunk, Plan
from excamera.media.chunk_encoder import check_chunk
from excamera.media.container import ivf, webm
from excamera.media.join import JoinedChunk, SourceChunk, Timings, join
from excamera.media.source.reader import FrameReader
from excamera.steps.encode import marked, stamped
from mu import Context, Event, at_once
from mu.engines.local import available_cpus


def rebase(event: Event, context: Context) -> Event:
    """Join one batch; a batch of one chunk is taken as it is.

    Args:
        event: `job` and `batch` number.
        context: the store.

    Returns:
        `frames` (shown) and `bytes` (of coded frames) of the batch.

    Raises:
        SeamMismatch: the joined batch does not decode to the predicted states.
        SourceMismatch: the source does not give exactly the planned frames.
    """
    started = time.time()
    keys = Keys(event["job"])
    plan = load(context.store, keys, event["batch"])
    digest = plan.digest
    key = keys.cluster(event["batch"])
    record = finished(context.store, key, digest)
    if record is None:
        batch = plan.batch(event["batch"])
        timings = Timings()
        joined = []
        for chunk in _joined(plan, batch, context, keys, timings):
            joined.append(chunk)
            context.report({"batch": batch.number, "chunks": len(joined)})
        records = [
            stamp
            for part, chunk in zip(joined, batch.chunks, strict=True)
            for stamp in stamped(part.frames, chunk)
        ]
        context.mark("computed")
        data, cues = contained(plan, records, last=plan.is_last(batch))
        record = {
            "cues": cues,
            "frames": len(batch.pts),
            "packets": len(records),
            "pts": pts_digest(batch.pts),
            "bytes": sum(len(frame) for _, frame in records),
            "key_frames": sum(codec.is_key_frame(frame) for _, frame in records),
            "states": [part.digest for part in joined],
            "timings": asdict(timings),
            "started": started,
            "finished": time.time(),
        }
        record = finish(context.store, key, data, digest, record)
        context.mark("stored")
    return {"frames": record["frames"], "bytes": record["bytes"]}


def pts_digest(pts: list[int]) -> str:
    """A digest of timestamps, for comparing a batch with the plan."""
    return hashlib.sha256(",".join(map(str, pts)).encode()).hexdigest()


def _joined(
    plan: Plan, batch: Batch, context: Context, keys: Keys, timings: Timings
) -> Iterator[JoinedChunk]:
    store = context.store

    def fetched(chunk: Chunk) -> list[bytes]:
        file = ivf.parse(store.get(keys.chunk(batch.number, chunk.number)))
        frames = [frame.data for frame in file.frames]
        check_chunk(frames, len(chunk.pts))
        if [f.pts for f in file.frames if codec.is_shown(f.data)] != list(chunk.pts):
            raise PlanMismatch(f"chunk {batch.number}/{chunk.number}: wrong timestamps")
        return frames

    coded = at_once(fetched, batch.chunks)
    if len(coded) == 1:
        context.mark("fetched")
        yield JoinedChunk(coded[0], "")
        return
    with FrameReader.for_plan(plan, store) as reader:
        chunks = (
            SourceChunk(frames, [codec.Raster.from_planes(*p) for p in reader.read(chunk)])
            for chunk, frames in zip(batch.chunks, coded, strict=True)
        )
        yield from join(
            marked(chunks, context), plan.options.first_frame_qi, available_cpus(), timings
        )


def contained(
    plan: Plan, records: list[tuple[int, bytes]], *, last: bool
) -> tuple[bytes, list[list[int]]]:
    """Frames as they stand in the result's container.

    Args:
        plan: for the container and the clock.
        records: timestamps and coded frames.
        last: whether this is the end of the result (its last frame then gets a duration).

    Returns:
        The bytes, and for WebM the cue points as [milliseconds, offset].
    """
    if plan.container == "ivf":
        return ivf.frames(records), []
    blocks = []
    for number, (pts, frame) in enumerate(records):
        final = last and number == len(records) - 1
        start_ms = plan.milliseconds(pts)
        length_ms = max(0, plan.milliseconds(plan.end) - start_ms)
        blocks.append(
            webm.Block(
                webm.VIDEO_TRACK,
                start_ms,
                frame,
                key=codec.is_key_frame(frame),
                invisible=not codec.is_shown(frame),
                duration_ms=length_ms if final else None,
            )
        )
    data = bytearray()
    cues = []
    for cluster in webm.clusters(blocks):
        if cluster.key:
            cues.append([cluster.time_ms, len(data)])
        data += cluster.data
    return bytes(data), cues


def constant_frame_ns(plan: Plan) -> int | None:
    """Duration of every frame if the frame rate is constant to the millisecond, else None."""
    pts = [pts for batch in plan.batches for pts in batch.pts]
    if len(pts) < 2:
        return None
    mean = Fraction(pts[-1] - pts[0], len(pts) - 1)
    steady = all(
        abs(pts[0] + n * mean - p) * plan.time_base < Fraction(1, 500) for n, p in enumerate(pts)
    )
    return round(mean * plan.time_base * 1_000_000_000) if steady and mean else None
