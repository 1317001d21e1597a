"""The sound of a batch: its packets, in the run of the batch."""

from __future__ import annotations

from collections.abc import Iterator

from excamera.errors import PlanMismatch
from excamera.job.batches import Batch
from excamera.job.objects import Job, Keys
from excamera.job.records import AudioRecord
from excamera.media.container.protocol import Cues, OutputContainer
from excamera.media.segments import between, span
from excamera.media.words import skipped
from mu import NoSuchKey


def sound_of(job: Job) -> AudioRecord | None:
    """The record of a job's sound, or None if there is no sound.

    Raises:
        PlanMismatch: it is missing, or of another plan.
    """
    if not job.plan.source.audio_streams:
        return None
    try:
        record = AudioRecord.from_json(job.store.get(Keys.record(job.keys.audio)))
    except (NoSuchKey, TypeError):  # TypeError: the record is of another version
        record = AudioRecord()
    if record.plan != job.plan.uncut().digest:
        raise PlanMismatch("the sound is missing or of another plan")
    return record if record.blocks else None


def notes_on(sound: AudioRecord) -> Iterator[str]:
    """What a user should know of the sound, a line each."""
    for track in sound.tracks:
        notes = [track.note] if track.note else []
        if track.skipped_packets:
            notes.insert(0, skipped(track.skipped_packets))
        for note in notes:
            if len(sound.tracks) > 1:
                yield f"sound track {track.place + 1} of the result: {note.removeprefix('sound: ')}"
            else:
                yield note


def with_sound(
    job: Job, batch: Batch, container: OutputContainer, data: bytes, cues: Cues
) -> tuple[bytes, Cues]:
    """A batch's bytes and cues, with its sound; behind the last batch the rest, too.

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
    return container.with_sound(
        data,
        cues,
        between(packets, numbers, begin_ms, end_ms),
        between(packets, numbers, end_ms, None) if is_last else (),
        start_ms,
    )
