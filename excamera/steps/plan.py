"""Put the surveys together, cut the batches, write the plan."""

from __future__ import annotations

from dataclasses import replace

from excamera.job.cut import cut
from excamera.job.draft import Draft
from excamera.job.flow import Limits
from excamera.job.objects import Job, Keys
from excamera.job.records import PlanSummary, SurveyRecord
from excamera.media.scenes import Survey
from mu import Context, Event, Store, at_once


def plan(event: Event, context: Context) -> Event:
    """Write ``plan.json`` and the list of batches.

    Args:
        event: `job`, and `limits`, those of `excamera.job.flow.Limits`.
        context: the store.

    Returns:
        A `PlanSummary`.
    """
    keys = Keys(event["job"])
    draft = Draft.load(context.store, keys)
    survey = _survey(draft, context.store, keys)
    context.mark("fetched")
    batches = tuple(cut(draft.frames, draft.plan.options, survey))
    made = replace(draft.plan, batches=batches)
    context.mark("computed")
    most_chunks = max(len(batch.chunks) for batch in batches)
    limits = Limits(**event["limits"]).fit(most_chunks)
    Job(context.store, keys, made).save()
    context.mark("stored")
    return PlanSummary(
        items=keys.items,
        results=keys.map_results,
        frames=made.frame_count,
        chunks=sum(len(batch.chunks) for batch in made.batches),
        batches=len(made.batches),
        spans=len(draft.spans),
        anchored=sum(batch.is_anchored for batch in made.batches),
        most_chunks=most_chunks,
        batches_at_once=limits.batches_at_once,
        chunks_at_once=limits.chunks_at_once,
        concurrency=limits.concurrency,
        width=made.geometry.width,
        height=made.geometry.height,
        duration_s=float(made.end * made.time_base),
        sound=made.source.audio_stream is not None,
        indexed_by=made.source.indexed_by,
    ).to_json()


def _survey(draft: Draft, store: Store, keys: Keys) -> Survey | None:
    """The survey of the whole source; None if there is none, or if a picture is missing."""

    def of_span(number: int) -> SurveyRecord:
        return SurveyRecord.from_json(store.get(keys.survey(number)))

    spans = at_once(of_span, range(len(draft.spans)))
    if draft.survey is not None:
        spans.append(draft.survey)
    survey = Survey(spans)
    return survey if survey.count == len(draft.frames) else None
