"""MP4 as a container of results: batches and AAC in runs, the index in front of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from excamera.job.plan import Plan
from excamera.job.records import AudioRecord, TrackRecord
from excamera.job.tags import Tags
from excamera.media.codecs import H264, OutputCodec
from excamera.media.container import mp4
from excamera.media.container.mp4_run import RunIndex, interleaved, run_of
from excamera.media.container.mp4_tracks import SoundTrack, VideoTrack, configuration_box
from excamera.media.container.protocol import Run, Stamped
from excamera.media.container.webm import AUDIO_TRACK, Block

_ENTRIES = {"h264": "avc1", "vp9": "vp09", "av1": "av01"}


@dataclass(frozen=True, slots=True)
class Mp4:
    """MP4: all samples behind the index, so that players begin while it is downloaded."""

    codec: OutputCodec = H264
    name: str = "mp4"
    media_type: str = "video/mp4"
    holds_sound: bool = True
    holds_chapters: bool = True
    sound_codec: str = "aac"
    counts_frames: bool = False

    def batch(
        self, plan: Plan, frames: Sequence[Stamped], *, last: bool
    ) -> tuple[bytes, dict[str, Any]]:
        """See `OutputContainer.batch`."""
        keys = [n for n, (_, frame) in enumerate(frames) if self.codec.is_key_frame(frame)]
        data, index = run_of(frames, keys, plan.time_base)
        return data, index.to_json()

    def with_sound(
        self,
        data: bytes,
        cues: dict[str, Any],
        before: Sequence[Block],
        behind: Sequence[Block],
        start_ms: int,
    ) -> tuple[bytes, dict[str, Any]]:
        """See `OutputContainer.with_sound`."""
        packets = [
            (one.track - AUDIO_TRACK, one.time_ms - start_ms, one.data)
            for one in (*before, *behind)
        ]
        data, index = interleaved(data, RunIndex.from_json(cues), packets)
        return data, index.to_json()

    def wrap(
        self,
        plan: Plan,
        packets: int,
        sound: AudioRecord | None,
        runs: Sequence[Run],
        config: bytes = b"",
    ) -> tuple[bytes, bytes]:
        """See `OutputContainer.wrap`.

        Raises:
            ContainerError: MP4 cannot hold the film.
        """
        tracks = [] if sound is None else sound.tracks
        sounds = [sound_track(one, plan.tags, is_default=one is tracks[0]) for one in tracks]
        video = video_track(plan, self.codec, config)
        indexed = [(run.size, RunIndex.from_json(run.cues)) for run in runs]
        return mp4.front(video, sounds, indexed, plan.tags.title, plan.tags.chapters), b""


def sound_track(track: TrackRecord, tags: Tags, *, is_default: bool = True) -> SoundTrack:
    """A sound track of a file."""
    heard = tags.sounds[track.place]
    return SoundTrack(
        configuration=bytes.fromhex(track.private),
        rate=track.rate,
        channels=track.channels,
        first=track.first,
        delay=track.delay,
        samples=track.samples,
        language=heard.language,
        title=heard.title,
        place=track.place,
        default=is_default,
    )


def video_track(plan: Plan, codec: OutputCodec, config: bytes) -> VideoTrack:
    """The video track of a plan.

    Args:
        plan: of the whole job.
        codec: of the pictures.
        config: see `OutputContainer.wrap`.
    """
    entry = _ENTRIES[codec.name]
    geometry = plan.geometry
    return VideoTrack(
        entry=entry,
        configuration=configuration_box(entry, config),
        width=geometry.width,
        height=geometry.height,
        times=[pts for batch in plan.batches for pts in batch.pts],
        end=plan.end,
        time_base=plan.time_base,
        sample_aspect=geometry.sample_aspect,
        matrix=geometry.matrix,
        transfer=geometry.transfer,
        primaries=geometry.primaries,
        light=geometry.light,
        language=plan.tags.video_language,
    )
