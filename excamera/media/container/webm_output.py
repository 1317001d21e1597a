"""WebM and Matroska as containers of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from excamera.job.plan import Plan
from excamera.job.records import AudioRecord
from excamera.media.codecs import VP8, OutputCodec
from excamera.media.container import webm
from excamera.media.container.protocol import Cues, Run, Stamped


@dataclass(frozen=True, slots=True)
class WebM:
    """WebM: clusters, with cues at the key frames of batches."""

    codec: OutputCodec = VP8
    name: str = "webm"
    media_type: str = "video/webm"
    holds_sound: bool = True
    holds_chapters: bool = True
    sound_codec: str = "opus"
    counts_frames: bool = False
    doc_type: str = "webm"

    def batch(self, plan: Plan, frames: Sequence[Stamped], *, last: bool) -> tuple[bytes, Cues]:
        """See `OutputContainer.batch`; the last frame of the result gets a duration."""
        blocks = []
        # In order of decoding, the frame that is shown last need not be the last one.
        latest = max(range(len(frames)), key=lambda number: (frames[number][0], number), default=0)
        for number, (pts, frame) in enumerate(frames):
            final = last and number == latest
            start_ms = plan.milliseconds(pts)
            length_ms = max(0, plan.milliseconds(plan.end) - start_ms)
            blocks.append(
                webm.Block(
                    webm.VIDEO_TRACK,
                    start_ms,
                    frame,
                    key=self.codec.is_key_frame(frame),
                    invisible=not self.codec.is_shown(frame),
                    duration_ms=length_ms if final else None,
                )
            )
        data = bytearray()
        cues = []
        for cluster in webm.clusters(blocks):
            if cluster.key:
                cues.append([cluster.time_ms, len(data)])
            data += cluster.data
        return bytes(data), cues

    def with_sound(
        self,
        data: bytes,
        cues: Cues,
        before: Sequence[webm.Block],
        behind: Sequence[webm.Block],
        start_ms: int,
    ) -> tuple[bytes, Cues]:
        """See `OutputContainer.with_sound`."""
        # As early as the batch's own cluster, so that clusters are in order of time.
        first = self.sound(before, start_ms)
        return first + data + self.sound(behind, None), [[ms, at + len(first)] for ms, at in cues]

    def sound(self, blocks: Sequence[webm.Block], start_ms: int | None) -> bytes:
        """Sound as clusters.

        Args:
            blocks: packets in order of time, perhaps none.
            start_ms: time at which the batch behind them begins; None behind the last batch.
        """
        return b"".join(cluster.data for cluster in webm.clusters(blocks, start_ms))

    def wrap(
        self,
        plan: Plan,
        packets: int,
        sound: AudioRecord | None,
        runs: Sequence[Run],
        config: bytes = b"",
    ) -> tuple[bytes, bytes]:
        """See `OutputContainer.wrap`."""
        end_ms = float(plan.end * plan.time_base * 1000)
        tracks = [] if sound is None else sound.tracks
        sounds = []
        for one in tracks:
            end_ms = max(end_ms, one.end_ms)
            tags = plan.tags.sounds[one.place]
            sounds.append(
                webm.AudioTrack(
                    channels=one.channels,
                    private=bytes.fromhex(one.private),
                    delay_ns=one.delay_ns,
                    language=tags.language,
                    title=tags.title,
                    number=webm.AUDIO_TRACK + one.place,
                    default=one is tracks[0],
                )
            )
        geometry = plan.geometry
        video = webm.VideoTrack(
            width=geometry.width,
            height=geometry.height,
            sample_aspect=geometry.sample_aspect,
            frame_ns=_constant_frame_ns(plan),
            matrix=geometry.matrix,
            transfer=geometry.transfer,
            primaries=geometry.primaries,
            light=geometry.light,
            codec=self.codec,
            language=plan.tags.video_language,
            private=config if self.codec.configured else b"",
            bits=geometry.bits,
        )
        pieces = [(run.size, [(ms, at) for ms, at in run.cues]) for run in runs]
        front = webm.front(
            end_ms, video, sounds, pieces, plan.tags.title, self.doc_type, plan.tags.chapters
        )
        return front, b""


@dataclass(frozen=True, slots=True)
class Matroska(WebM):
    """Matroska: as WebM, for every codec."""

    name: str = "mkv"
    media_type: str = "video/matroska"
    doc_type: str = "matroska"


def _constant_frame_ns(plan: Plan) -> int | None:
    """Duration of every frame if the frame rate is constant to the millisecond, else None."""
    pts = [pts for batch in plan.batches for pts in batch.pts]
    if len(pts) < 2:
        return None
    mean = Fraction(pts[-1] - pts[0], len(pts) - 1)
    steady = all(
        abs(pts[0] + n * mean - p) * plan.time_base < Fraction(1, 500) for n, p in enumerate(pts)
    )
    return round(mean * plan.time_base * 1_000_000_000) if steady and mean else None
