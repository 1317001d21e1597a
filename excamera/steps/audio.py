"""The sound of the whole source, as Opus in clusters that fit between the batches."""

from __future__ import annotations

from excamera.errors import DamagedSource
from excamera.job.objects import Job
from excamera.job.plan import Plan
from excamera.job.records import AudioRecord
from excamera.media.audio import Sound, read_sound
from excamera.media.container.output import output_container
from excamera.media.source.clock import Clock
from excamera.media.source.location import locate
from excamera.media.words import skipped
from mu import Context, Event


def audio(event: Event, context: Context) -> Event:
    """Write the sound, cut into one run of clusters before each batch and one at the end.

    Args:
        event: `job`.
        context: the store.

    Returns:
        `blocks`: number of Opus packets, 0 when there is no sound; `copied`: whether they
        are the source's own.

    Raises:
        DamagedSource: the sound has damage, and the options want none.
    """
    job = Job.load(context.store, event["job"])
    plan = job.plan
    source = plan.source
    if source.audio_stream is None:
        return {"blocks": 0, "copied": False}
    stream = source.audio_stream

    def make() -> tuple[bytes, AudioRecord]:
        media = locate(source, context.store)
        sound = read_sound(media, source.name, stream, plan.origin_s, Clock(plan.sound_clock))
        context.mark("fetched")
        if sound is None:
            return b"", AudioRecord()
        if sound.skipped_packets and plan.options.strict:
            damage = skipped(sound.skipped_packets)
            raise DamagedSource(f"{source.name}: {damage} (if not for --strict)")
        data, runs = _runs(sound, plan)
        return data, AudioRecord(
            blocks=len(sound.blocks),
            copied=sound.copied,
            skipped_packets=sound.skipped_packets,
            runs=runs,
            end_ms=sound.end_ms,
            channels=sound.track.channels,
            private=sound.track.private.hex(),
            delay_ns=sound.track.delay_ns,
            note=sound.note,
        )

    record = job.once(job.keys.audio, AudioRecord, make, context)
    return {"blocks": record.blocks, "copied": record.copied}


def _runs(sound: Sound, plan: Plan) -> tuple[bytes, list[list[int]]]:
    """All clusters, and [offset, size] of the run that goes before each batch and of the last."""
    starts = [plan.milliseconds(batch.pts[0]) for batch in plan.batches]
    container = output_container(plan.container)
    ends = [*starts[1:], plan.milliseconds(plan.end), None]
    data = bytearray()
    runs = []
    at = 0
    for number, end in enumerate(ends):
        first = at
        while at < len(sound.blocks) and (end is None or sound.blocks[at].time_ms < end):
            at += 1
        # As early as the batch's own cluster, so that clusters are in order of time.
        start = starts[number] if number < len(starts) else None
        offset = len(data)
        data += container.sound(sound.blocks[first:at], start)
        runs.append([offset, len(data) - offset])
    return bytes(data), runs
