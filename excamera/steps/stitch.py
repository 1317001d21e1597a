"""Check the pieces against the plan, and finish the result."""

from __future__ import annotations

from functools import partial

from excamera.job.objects import Job
from excamera.job.results import JobResult
from excamera.job.target import BITRATE, Reached
from excamera.lifecycle.result_uploads import assembly_of
from excamera.lifecycle.results import publish
from excamera.media.container.output import output_container
from excamera.media.container.protocol import Run
from excamera.steps.ladder import stitch_ladder
from excamera.steps.runs import checked_runs
from excamera.steps.sound import notes_on, sound_of
from mu import Context, Event


def stitch(event: Event, context: Context) -> Event:
    """Put the front and the end to what the workers have written of the result.

    Args:
        event: `job`.
        context: the store.

    Returns:
        A `JobResult`.

    Raises:
        PlanMismatch: a piece is missing or does not have the planned frames.
        OutputError: the output exists and is not ours to replace.
    """
    job = Job.load(context.store, event["job"])
    plan = job.plan
    if plan.rungs:
        return stitch_ladder(job, context).to_json()
    container = output_container(plan.container, plan.options.codec)
    assembly = assembly_of(job)
    whole, notes = checked_runs(job, assembly)
    sound = sound_of(job)
    context.mark("fetched")
    runs = [Run(size, note.cues) for size, note in zip(whole.sizes, notes, strict=True)]
    packets, config = sum(note.packets for note in notes), bytes.fromhex(notes[0].config)
    front, end = container.wrap(plan, packets, sound, runs, config)
    context.mark("computed")
    write = partial(assembly.finish, whole, front, end)
    if plan.output is None:
        key = job.keys.result(plan.container)
        size = write(context.store, key)
    else:
        key = plan.output.key
        size = publish(plan.output, container.media_type, plan.source, job.keys.job, write)
    context.mark("stored")
    video_bytes = sum(note.bytes for note in notes)
    reached, missed = _reached(job, size, video_bytes)
    return JobResult(
        key=key,
        size=size,
        frames=plan.frame_count,
        key_frames=sum(note.key_frames for note in notes),
        duration_s=max(float(plan.end * plan.time_base), sound.end_ms / 1000 if sound else 0.0),
        video_bytes=video_bytes,
        sound="none" if sound is None else sound.manner,
        notes=[*plan.notes, *(notes_on(sound) if sound else ()), *missed],
        target=None if reached is None else reached.to_json(),
    ).to_json()


def _reached(job: Job, size: int, video_bytes: int) -> tuple[Reached | None, list[str]]:
    """What has become of the job's target, and a note if it was missed."""
    target = job.plan.options.target
    if target is None:
        return None, []
    aim = job.aim()
    if target.is_quality:
        reached = Reached(target.kind, target.wanted, aim.expected, "samples")
    elif target.kind == BITRATE:
        seconds = float(job.plan.end * job.plan.time_base)
        reached = Reached(target.kind, target.wanted, video_bytes * 8 / seconds / 1000, "result")
    else:
        reached = Reached(target.kind, target.wanted, size, "result")
    if reached.is_met:
        return reached, []
    why = aim.limit or "the samples that were tried are not like the rest of the film"
    return reached, [f"the target was missed: {reached.text}; {why}"]
