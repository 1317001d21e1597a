"""Put the surveys together, cut the batches, write the plan."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from excamera.job.aiming import Sampling, rounds_of, sampled
from excamera.job.batches import Batch
from excamera.job.codecs import CODECS
from excamera.job.cut import cut
from excamera.job.draft import Draft
from excamera.job.flow import way_of_batches
from excamera.job.objects import Job, Keys
from excamera.job.packing import Cut, Limits
from excamera.job.plan import Plan
from excamera.job.records import SurveyRecord
from excamera.job.results import PlanSummary, Prediction
from excamera.lifecycle.result_uploads import assembly_prefix, begin_upload
from excamera.media.codecs import OUTPUT_CODECS
from excamera.media.container.fragments import lead_of
from excamera.media.container.output import output_container
from excamera.media.losses import Lost, even_octaves
from excamera.media.scenes import Survey
from excamera.price.film import Film
from excamera.price.size import guessed_crf, octave_of
from mu import Context, Event, Store, at_once

Grant = Callable[[int, Limits], Limits]
"""The limits of a job that could use so many functions at the same time."""

Foretell = Callable[[Plan, Limits], Prediction | None]
"""What a planned job is expected to take within its limits; None if that is not known."""


def plan(
    event: Event,
    context: Context,
    grant: Grant | None = None,
    foretell: Foretell | None = None,
) -> Event:
    """Write ``plan.json`` and the list of batches; begin the upload of the result.

    Args:
        event: `job`, and `limits`, those of `excamera.job.packing.Limits`.
        context: the store.
        grant: changes the limits, once it is known what the job could use.
        foretell: predicts what the job takes.

    Returns:
        A `PlanSummary`.
    """
    keys = Keys(event["job"])
    draft = Draft.load(context.store, keys)
    spans = surveys_of(draft, context.store, keys)
    context.mark("fetched")
    survey = Survey(spans)
    surveyed = survey if survey.count == len(draft.frames) else None
    batches = tuple(cut(draft.frames, draft.plan.options, surveyed, draft.plan.pixels))
    made = replace(draft.plan, batches=batches, even=_even(batches, spans) if surveyed else None)
    if made.rungs:
        reordered = OUTPUT_CODECS[made.options.codec].reordered
        made = replace(made, lead=lead_of(draft.frames.pts, reordered))
    made = _begun(made, context.store, keys)
    context.mark("computed")
    limits = Limits(**event["limits"])
    shape = _shape(made)
    if grant is not None:
        limits = grant(limits.useful(shape), limits)
    packing = limits.pack(shape)
    Job(context.store, keys, made).save(packing)
    samples = _sampled(made, surveyed, context.store, keys)
    context.mark("stored")
    shares = [packing.shares_of(len(batch.chunks)) for batch in batches]
    predicted = foretell(made, limits) if foretell is not None else None
    return PlanSummary(
        items=keys.items,
        results=keys.map_results,
        assembly=assembly_prefix(made.rung(0) if made.rungs else made, keys),
        frames=made.frame_count,
        chunks=sum(len(batch.chunks) for batch in batches),
        batches=len(batches),
        shares=sum(shares),
        spans=len(draft.spans),
        anchored=sum(batch.is_anchored for batch in batches),
        divided=sum(count > 1 for count in shares),
        batches_at_once=packing.batches_at_once,
        shares_at_once=packing.shares_at_once,
        threads=packing.threads,
        size=packing.size,
        memory_mb=limits.memory_mb if packing.size else 0,
        useful=limits.useful(shape) - 1,
        concurrency=limits.concurrency,
        width=made.geometry.width,
        height=made.geometry.height,
        duration_s=float(made.end * made.time_base),
        sound=len(made.source.audio_streams),
        bits=made.geometry.bits,
        indexed_by=made.source.indexed_by,
        notes=list(made.notes),
        options=made.options.to_json(),
        predicted=None if predicted is None else predicted.to_json(),
        way=way_of_batches(len(batches), limits, packing),
        planned=draft.planned,
        rounds=rounds_of(samples, packing.samples_at_once),
        rungs=len(made.rungs),
    ).to_json()


def _begun(made: Plan, store: Store, keys: Keys) -> Plan:
    """The plan with the names of the uploads of its result."""

    def begun(file: Plan) -> str:
        container = output_container(file.container, file.options.codec)
        return begin_upload(file, container.media_type, store, keys)

    if not made.rungs:
        return replace(made, upload=begun(made))
    uploads = [begun(made.rung(number)) for number in range(len(made.rungs))]
    rungs = [replace(one, upload=name) for one, name in zip(made.rungs, uploads, strict=True)]
    return replace(made, rungs=tuple(rungs))


def _sampled(made: Plan, survey: Survey | None, store: Store, keys: Keys) -> int:
    """Store what is to be tried of the film, if it has a target; returns how many samples."""
    options = made.options
    if options.target is None:
        return 0
    frames = [len(batch.pts) for batch in made.batches]
    costs = [float(count) for count in frames]
    if survey is not None:
        costs = [
            survey.cost(batch.chunks[0].first_frame, batch.chunks[0].first_frame + count)
            for batch, count in zip(made.batches, frames, strict=True)
        ]
    sampling = Sampling(
        plan=made.digest,
        samples=sampled(frames, costs),
        frames=frames,
        costs=costs,
        changes=[batch.crf_change for batch in made.batches],
        guess=float(guessed_crf(Film.of(made, made.frame_count), options)),
        octave=octave_of(options),
        best=float(CODECS[options.codec].best_mixed),
        worst=float(CODECS[options.codec].worst_crf),
        grid=options.crf_grid,
    )
    store.put(keys.sampling, json.dumps(sampling.to_json()).encode())
    return len(sampling.samples)


def _shape(plan: Plan) -> Cut:
    return Cut(
        batches=len(plan.batches),
        most_chunks=max(len(batch.chunks) for batch in plan.batches),
        most_pixels=plan.pixels * max(len(batch.pts) for batch in plan.batches),
    )


def surveys_of(draft: Draft, store: Store, keys: Keys) -> list[SurveyRecord]:
    """The surveys of the source; none if there are none."""

    def of_span(number: int) -> SurveyRecord:
        return SurveyRecord.from_json(store.get(keys.survey(number)))

    spans = at_once(of_span, range(len(draft.spans)))
    return spans if draft.survey is None else [*spans, draft.survey]


def _even(batches: Sequence[Batch], spans: Sequence[SurveyRecord]) -> float | None:
    """By how many octaves steps have to be coarser for the whole film to look as it should.

    A batch alone finds it out itself. Batches of a film must agree: if one had finer steps than
    another, its bits would gain less.
    """
    lost = [Lost(*one) for span in spans for one in span.lost]
    return even_octaves(lost) if lost and len(batches) > 1 else None
