"""The containers of results: how batches and sound become one file.

Each worker writes its batch, or the sound, as a self-contained run of bytes, which nobody has to
change again: a file is a front, the runs in order, and an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from excamera.errors import ContainerError, UnknownOutputFormat
from excamera.job.codecs import FRAGMENTS, MANIFESTS, check_pair, container_of_rungs
from excamera.job.plan import Plan
from excamera.job.records import AudioRecord
from excamera.media.codecs import OUTPUT_CODECS, VP8, OutputCodec
from excamera.media.container import fragments, ivf, webm
from excamera.media.container.fragments import Fragments
from excamera.media.container.mp4_output import Mp4

Stamped = tuple[int, bytes]
"""A coded frame with its timestamp, in the plan's ticks."""

Cues = Any
"""What a container has to know of a run to finish a file, as JSON: WebM, a list of [milliseconds,
offset in the run] of the places that players can seek to; MP4, the tables of samples (see
`excamera.media.container.mp4_run.RunIndex`)."""


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes of the file that lie in the store: a batch with its sound, and cues in these bytes."""

    size: int
    cues: Cues = ()


class OutputContainer(Protocol):
    """A container of results."""

    @property
    def name(self) -> str:
        """Its name, which is also the ending of its files."""

    @property
    def media_type(self) -> str:
        """Its media type."""

    @property
    def holds_sound(self) -> bool:
        """Whether its files have sound."""

    @property
    def holds_chapters(self) -> bool:
        """Whether its files have chapters."""

    @property
    def sound_codec(self) -> str:
        """The codec of its sound: "opus" or "aac"."""

    @property
    def counts_frames(self) -> bool:
        """Whether its clock counts frames, if their rate is constant."""

    @property
    def codec(self) -> OutputCodec:
        """The codec of its video."""

    def batch(self, plan: Plan, frames: Sequence[Stamped], *, last: bool) -> tuple[bytes, Cues]:
        """A batch as a run of the file.

        Args:
            plan: for the clock.
            frames: of the batch, in order of decoding.
            last: whether the result ends here.

        Returns:
            The bytes and the cues.
        """

    def with_sound(
        self,
        data: bytes,
        cues: Cues,
        before: Sequence[webm.Block],
        behind: Sequence[webm.Block],
        start_ms: int,
    ) -> tuple[bytes, Cues]:
        """A batch with its sound.

        Args:
            data: the run that `batch` returned.
            cues: of that.
            before: packets from the batch's time, in order of time, perhaps none.
            behind: if the batch is the last one, packets from after it.
            start_ms: time at which the batch begins.
        """

    def wrap(
        self,
        plan: Plan,
        packets: int,
        sound: AudioRecord | None,
        runs: Sequence[Run],
        config: bytes = b"",
    ) -> tuple[bytes, bytes]:
        """The front and the end of a file.

        Args:
            plan: of the job.
            packets: coded frames of all batches.
            sound: None for a silent file.
            runs: everything between the two, in the file's order.
            config: the configuration of the stream, see `excamera.media.codecs.OutputCodec`.
        """


@dataclass(frozen=True, slots=True)
class Ivf:
    """IVF: a header and frames; it keeps the source's clock, and holds no sound."""

    codec: OutputCodec = VP8
    name: str = "ivf"
    media_type: str = "video/x-ivf"
    holds_sound: bool = False
    holds_chapters: bool = False
    sound_codec: str = ""
    counts_frames: bool = True

    def batch(self, plan: Plan, frames: Sequence[Stamped], *, last: bool) -> tuple[bytes, Cues]:
        """See `OutputContainer.batch`."""
        prefix = self.codec.ivf_prefix
        return ivf.frames((pts, prefix + frame) for pts, frame in frames), []

    def with_sound(
        self,
        data: bytes,
        cues: Cues,
        before: Sequence[webm.Block],
        behind: Sequence[webm.Block],
        start_ms: int,
    ) -> tuple[bytes, Cues]:
        """IVF holds no sound.

        Raises:
            ContainerError: always.
        """
        raise ContainerError("IVF holds no sound")

    def wrap(
        self,
        plan: Plan,
        packets: int,
        sound: AudioRecord | None,
        runs: Sequence[Run],
        config: bytes = b"",
    ) -> tuple[bytes, bytes]:
        """See `OutputContainer.wrap`."""
        return self.header(plan, packets), b""

    def header(self, plan: Plan, count: int) -> bytes:
        """The front of a file of `count` frames."""
        geometry = plan.geometry
        return ivf.header(geometry.width, geometry.height, plan.time_base, count, self.codec)


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


OUTPUT_CONTAINERS: Mapping[str, Callable[..., OutputContainer]] = {
    one().name: one for one in (WebM, Matroska, Mp4, Ivf)
}
"""Makes the container of a name for a codec."""

ENDINGS = " or ".join(f".{name}" for name in OUTPUT_CONTAINERS)
"""The endings of their files, for messages."""


def output_container(name: str, codec: str) -> OutputContainer:
    """The container of that name, for a codec.

    Args:
        name: of the container; for a manifest, that of the files which it lists is returned.
        codec: a name in `excamera.job.codecs.CODECS`.

    Raises:
        UnknownOutputFormat: there is none, or it does not hold the codec.
    """
    if name in MANIFESTS:
        check_pair(name, codec)
        name = container_of_rungs(name, codec)
    if name == FRAGMENTS:
        return Fragments(OUTPUT_CODECS[codec])
    if name not in OUTPUT_CONTAINERS:
        raise UnknownOutputFormat(f"the output must end in {ENDINGS}, not .{name}")
    check_pair(name, codec)
    return OUTPUT_CONTAINERS[name](OUTPUT_CODECS[codec])


def index_of(container: str, front: bytes) -> tuple[int, int]:
    """Where the index of segments begins in the front of a ladder's file, and its size.

    Args:
        container: the name of the file's.
        front: as its `wrap` returned it.
    """
    return fragments.index_of(front) if container == FRAGMENTS else webm.cues_of(front)


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


def stamped(
    coded: Iterable[bytes], pts: Sequence[int], codec: OutputCodec, order: Sequence[int] = ()
) -> list[Stamped]:
    """Coded frames with timestamps; a hidden frame has that of the next shown one.

    Args:
        coded: the frames of a chunk, in order of decoding.
        pts: of its shown frames, in order of display.
        codec: of the frames.
        order: the place of each in order of display, if that is another one and none is hidden.
    """
    if order:
        return [(pts[place], frame) for place, frame in zip(order, coded, strict=True)]
    records = []
    number = 0
    for frame in coded:
        records.append((pts[min(number, len(pts) - 1)], frame))
        number += codec.is_shown(frame)
    return records
