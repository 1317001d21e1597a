"""The sound tracks of the whole source as packets, which workers put before their batches."""

from __future__ import annotations

from fractions import Fraction

from excamera.errors import DamagedSource
from excamera.job.draft import Draft
from excamera.job.forms import parse_duration
from excamera.job.objects import Job, Keys
from excamera.job.plan import Plan
from excamera.job.records import AudioRecord, TrackRecord
from excamera.media.audio import read_sound
from excamera.media.container.output import output_container
from excamera.media.container.webm import Block, of_track
from excamera.media.segments import pack
from excamera.media.sound import Sound
from excamera.media.source.clock import Clock
from excamera.media.source.location import locate
from excamera.media.words import skipped
from mu import Context, Event


def audio(event: Event, context: Context) -> Event:
    """Write the sound, before the batches are known.

    Args:
        event: `job`.
        context: the store.

    Returns:
        `blocks`: number of packets, 0 when there is no sound; `tracks`: how many tracks have
        some; `manner`: see `AudioRecord`; `codec`: "opus" or "aac".

    Raises:
        DamagedSource: the sound has damage, and the options want none.
    """
    keys = Keys(event["job"])
    plan = Draft.load(context.store, keys).plan
    source = plan.source
    codec = output_container(plan.container, plan.options.codec).sound_codec
    if not source.audio_streams:
        return _result(AudioRecord(), codec)

    def make() -> tuple[bytes, AudioRecord]:
        media = locate(source, context.store)
        blocks: list[Block] = []
        tracks: list[TrackRecord] = []
        clocks = plan.sound_clocks or ((),) * len(source.audio_streams)
        for place, (stream, pieces) in enumerate(zip(source.audio_streams, clocks, strict=True)):
            sound = read_sound(
                media,
                source.name,
                stream,
                plan.origin_s,
                Clock(pieces),
                codec=codec,
                trimmed=bool(plan.options.start),
                end_s=_end_s(plan),
            )
            if sound is None:
                continue
            if sound.skipped_packets and plan.options.strict:
                damage = skipped(sound.skipped_packets)
                raise DamagedSource(f"{source.name}: {damage} (if not for --strict)")
            blocks += of_track(sound.blocks, place)
            tracks.append(_record(sound, place))
        context.mark("fetched")
        data, segments = pack(blocks)
        return data, AudioRecord(segments=segments, tracks=tracks)

    return _result(
        Job(context.store, keys, plan).once(keys.audio, AudioRecord, make, context), codec
    )


def _result(record: AudioRecord, codec: str) -> Event:
    return {
        "blocks": record.blocks,
        "tracks": len(record.tracks),
        "manner": record.manner,
        "codec": codec,
    }


def _record(sound: Sound, place: int) -> TrackRecord:
    return TrackRecord(
        place=place,
        blocks=len(sound.blocks),
        copied=sound.copied,
        skipped_packets=sound.skipped_packets,
        end_ms=sound.end_ms,
        channels=sound.track.channels,
        private=sound.track.private.hex(),
        delay_ns=sound.track.delay_ns,
        rate=sound.rate,
        first=sound.first,
        samples=sound.samples,
        note=sound.note,
    )


def _end_s(plan: Plan) -> Fraction | None:
    """Where the sound is cut, in seconds of the result: where the picture is, if that is."""
    if not plan.options.duration:
        return None
    wanted, end = parse_duration(plan.options.duration), plan.end * plan.time_base
    return end if wanted - end < plan.time_base else wanted
