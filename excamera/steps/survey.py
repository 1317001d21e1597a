"""For long films: look at the pictures of one span, to find scenes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import astuple, replace

import codec
from excamera.errors import SourceMismatch, UnreadableFrame
from excamera.job.batches import Chunk, mode_of_batch
from excamera.job.objects import Job
from excamera.job.plan import Plan
from excamera.job.records import SurveyRecord
from excamera.media.lookahead import lost_of
from excamera.media.losses import Lost
from excamera.media.source.reader import FrameReader
from excamera.media.surveyor import Surveyor
from excamera.steps.pieces import raster_of
from mu import Context, Event, NoSuchKey, Store
from mu.machine import available_cpus


def survey(event: Event, context: Context) -> Event:
    """Survey one span and store its record, unless a run with the same frames has.

    Args:
        event: `job` and `span`; `threads`, 0 for one on each CPU.
        context: the store.

    Returns:
        `frames` of the span that could be surveyed: all or none.
    """
    job = Job.load(context.store, event["job"], span=event["span"])
    [span] = job.plan.batches
    key = job.keys.survey(span.number)
    found = _finished(context.store, key, job.plan)
    if found is None:
        started = time.time()
        threads = event["threads"] or available_cpus()
        own, lead_in = span.chunks[-1], span.chunks[:-1]
        found = survey_of(own, job.plan, context.store, lead_in, threads)
        context.mark("fetched")
        context.mark("computed")
        found = replace(found, plan=job.plan.digest, started=started, finished=time.time())
        context.store.put(key, found.to_json())
        context.mark("stored")
    return {"frames": len(found.alone)}


def survey_of(
    span: Chunk,
    plan: Plan,
    store: Store,
    lead_in: tuple[Chunk, ...] = (),
    threads: int = 0,
    trying: bool = True,
) -> SurveyRecord:
    """Survey a span by decoding it; the workers that need a damaged frame report it, not this.

    Args:
        span: the frames.
        plan: for the stream and the geometry of the pictures.
        store: of the job.
        lead_in: the frames before the span, see `excamera.job.cut.LEAD_IN`.
        threads: see `FrameReader`.
        trying: whether to find out what is lost of the pictures, if the mode needs it.
    """
    # Only our own codec looks at these pictures, and it knows 8 bits.
    plan = replace(plan, geometry=replace(plan.geometry, bits=8))
    surveyor = Surveyor(plan.options.trial_crf, span.first_frame)
    lost: list[Lost] = []
    try:
        with FrameReader.for_plan(plan, store, threads) as reader:

            def seen(part: Chunk) -> Iterator[codec.Raster]:
                for picture in reader.read(part):
                    raster = raster_of(picture)
                    surveyor.add(raster)
                    yield raster

            for part in lead_in:
                for _ in seen(part):
                    pass
            own = seen(span)
            if trying and mode_of_batch(plan.options) == "anchors":
                sharing = threads or available_cpus()
                lost = list(lost_of(own, len(span.pts), plan.options, sharing))
            for _ in own:
                pass
    except (UnreadableFrame, SourceMismatch):
        return SurveyRecord(first=span.first_frame)
    return replace(surveyor.record(), lost=[list(astuple(one)) for one in lost])


def _finished(store: Store, key: str, plan: Plan) -> SurveyRecord | None:
    """The record of an earlier run with the same frames, or None."""
    try:
        record = SurveyRecord.from_json(store.get(key))
    except (NoSuchKey, TypeError):  # TypeError: the record is of another version
        return None
    return record if record.plan == plan.digest and record.alone else None
