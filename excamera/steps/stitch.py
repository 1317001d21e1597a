"""Check the pieces against the plan, and join them into the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from excamera.errors import PlanMismatch
from excamera.job.objects import Job
from excamera.job.plan import Batch
from excamera.job.records import AudioRecord, BatchRecord, JobResult
from excamera.lifecycle.results import publish
from excamera.media.container.output import OutputContainer, Run, output_container
from excamera.media.words import skipped
from mu import Context, Event, Range, at_once


def stitch(event: Event, context: Context) -> Event:
    """Write the result file.

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
    container = output_container(plan.container)
    batches = _checked(job)
    sound = _sound(job)
    context.mark("fetched")
    parts = _parts(job, container, batches, sound)
    context.mark("computed")
    if plan.output is None:
        key = job.keys.result(plan.container)
        size = context.store.concat(key, parts)
    else:
        key = plan.output.key
        size = publish(plan.output, container.media_type, plan.source, job.keys.job, parts)
    context.mark("stored")
    return JobResult(
        key=key,
        size=size,
        frames=plan.frame_count,
        key_frames=sum(record.key_frames for record in batches),
        duration_s=max(float(plan.end * plan.time_base), sound.end_ms / 1000 if sound else 0.0),
        video_bytes=sum(record.bytes for record in batches),
        sound="none" if sound is None else "copied" if sound.copied else "encoded",
        notes=[*plan.notes, *(_notes_on(sound) if sound else ())],
    ).to_json()


def _notes_on(sound: AudioRecord) -> Iterator[str]:
    if sound.skipped_packets:
        yield skipped(sound.skipped_packets)
    if sound.note:
        yield sound.note


def _checked(job: Job) -> list[BatchRecord]:
    """The records of all batches, checked against the plan."""

    def checked(batch: Batch) -> BatchRecord:
        record = job.finished(job.keys.cluster(batch.number), BatchRecord)
        if record is None:
            raise PlanMismatch(f"batch {batch.number} is missing or of another plan")
        expected = (len(batch.pts), batch.pts_digest)
        if (record.frames, record.pts) != expected or record.key_frames != 1:
            raise PlanMismatch(f"batch {batch.number} does not have the planned frames")
        return record

    return at_once(checked, job.plan.batches)


def _sound(job: Job) -> AudioRecord | None:
    """The record of the sound, or None if there is none."""
    if job.plan.source.audio_stream is None:
        return None
    record = job.finished(job.keys.audio, AudioRecord)
    if record is None:
        raise PlanMismatch("the sound is missing or of another plan")
    return record if record.blocks else None


def _parts(
    job: Job,
    container: OutputContainer,
    batches: Sequence[BatchRecord],
    sound: AudioRecord | None,
) -> list[bytes | Range]:
    """The file: its front, the sound and the batches in order of time, its end."""
    ranges: list[Range] = []
    runs: list[Run] = []
    of_sound = sound.runs if sound else [[0, 0]] * (len(batches) + 1)
    for number, (offset, size) in enumerate(of_sound):
        if size:
            ranges.append(Range(job.keys.audio, offset, size, job.store))
            runs.append(Run(size))
        if number < len(batches):
            record = batches[number]
            ranges.append(Range(job.keys.cluster(number), 0, record.size, job.store))
            runs.append(Run(record.size, record.cues))
    front, end = container.wrap(job.plan, batches, sound, runs)
    return [front, *ranges, *([end] if end else [])]
