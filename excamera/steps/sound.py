"""The sound of a batch: its packets, as the run of clusters that goes before it."""

from __future__ import annotations

from excamera.errors import PlanMismatch
from excamera.job.objects import Job, Keys
from excamera.job.plan import Batch
from excamera.job.records import AudioRecord
from excamera.media.container.output import Cue, OutputContainer
from excamera.media.segments import between, span
from mu import NoSuchKey


def sound_of(job: Job) -> AudioRecord | None:
    """The record of a job's sound, or None if there is no sound.

    Raises:
        PlanMismatch: it is missing, or of another plan.
    """
    if job.plan.source.audio_stream is None:
        return None
    try:
        record = AudioRecord.from_json(job.store.get(Keys.record(job.keys.audio)))
    except (NoSuchKey, TypeError):  # TypeError: the record is of another version
        record = AudioRecord()
    if record.plan != job.plan.uncut().digest:
        raise PlanMismatch("the sound is missing or of another plan")
    return record if record.blocks else None


def with_sound(
    job: Job, batch: Batch, container: OutputContainer, data: bytes, cues: list[Cue]
) -> tuple[bytes, list[Cue]]:
    """A batch's bytes and cues, with the sound before it; behind the last batch the rest, too.

    Raises:
        PlanMismatch: the sound is missing, or of another plan.
    """
    sound = sound_of(job)
    if sound is None:
        return data, cues
    plan = job.plan
    start_ms, end_ms = plan.milliseconds(batch.pts[0]), plan.milliseconds(plan.until(batch))
    # What is earlier than the first batch goes before that.
    begin_ms = start_ms if batch.number else None
    is_last = plan.is_last(batch)
    numbers, offset, size = span(sound.segments, begin_ms, None if is_last else end_ms)
    packets = job.store.get_range(job.keys.audio, offset, size)
    # As early as the batch's own cluster, so that clusters are in order of time.
    before = container.sound(between(packets, numbers, begin_ms, end_ms), start_ms)
    behind = b""
    if is_last:
        behind = container.sound(between(packets, numbers, end_ms, None), None)
    return before + data + behind, [[ms, at + len(before)] for ms, at in cues]
