"""The plan of a job: which worker encodes which frames."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from excamera.job.codecs import container_of_rungs, ending_of
from excamera.job.options import EncodeOptions

PLAN_VERSION = 10


@dataclass(frozen=True, slots=True)
class Around:
    """The frames around a chunk that its filters see, each with its `pts` and `read_pts`.

    Attributes:
        before: those before it.
        behind: those behind it.
        ends: whether the film has no others behind these.
    """

    before: tuple[tuple[int, int], ...]
    behind: tuple[tuple[int, int], ...]
    ends: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """N consecutive frames, encoded by one worker.

    Attributes:
        number: place in its batch, from 0.
        first_frame: number of its first frame in the whole source, from 0.
        pts: presentation timestamps of its frames in the result, in the plan's time base.
        read_pts: the timestamps of the same frames in the file that the worker reads.
        skip: how many frames with timestamp `read_pts[0]` belong to the chunk before.
        seek: timestamps to seek to, best first; when none serves, read from the start.
        around: what its filters see of other frames, None if they see none. Then `skip` and
            `seek` are of the first frame of `wide`.
    """

    number: int
    first_frame: int
    pts: tuple[int, ...]
    read_pts: tuple[int, ...]
    skip: int = 0
    seek: tuple[int, ...] = ()
    around: Around | None = None

    @property
    def wide(self) -> Chunk:
        """The chunk with the frames around it."""
        if self.around is None:
            return self
        before, behind = self.around.before, self.around.behind
        return replace(
            self,
            first_frame=self.first_frame - len(before),
            pts=(*(pts for pts, _ in before), *self.pts, *(pts for pts, _ in behind)),
            read_pts=(*(at for _, at in before), *self.read_pts, *(at for _, at in behind)),
            around=None,
        )

    def part(self, first: int, end: int) -> Chunk:
        """The frames from number `first` of the chunk to before number `end`."""
        read_pts = self.read_pts[first:end]
        pts, skip, around = self.pts[first:end], self.skip, self.around
        if around is not None:
            pairs = tuple(zip(self.pts, self.read_pts, strict=True))
            before, behind = (*around.before, *pairs[:first]), (*pairs[end:], *around.behind)
            around = Around(before, behind, around.ends)
        elif first:
            passed = [at for at in self.read_pts[:first] if read_pts[:1] == (at,)]
            skip = len(passed) + (skip if read_pts[:1] == self.read_pts[:1] else 0)
        return replace(
            self,
            first_frame=self.first_frame + first,
            pts=pts,
            read_pts=read_pts,
            skip=skip,
            around=around,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """x consecutive chunks that share one key frame.

    Attributes:
        number: place in the job, from 0.
        chunks: in order.
        mode: "anchors", "rebase" or "plain", see `mode_of_batch`.
        crf_change: what its zone adds to the film's `crf`.
    """

    number: int
    chunks: tuple[Chunk, ...]
    mode: str
    crf_change: float = 0.0

    @property
    def is_anchored(self) -> bool:
        """Whether its anchors are coded before its chunks."""
        return self.mode == "anchors"

    def ordinary(self, chunk: Chunk) -> Chunk:
        """The part of a chunk that is not coded ahead in mode anchors, perhaps without frames.

        Coded ahead are the first frame of the batch, and the last of each chunk but the last.
        """
        first = 1 if chunk.number == 0 else 0
        end = len(chunk.pts)
        if chunk.number < len(self.chunks) - 1:
            end = max(first, end - 1)
        return chunk.part(first, end)

    @property
    def pts(self) -> list[int]:
        """Timestamps of all its frames."""
        return [pts for chunk in self.chunks for pts in chunk.pts]

    @property
    def pts_digest(self) -> str:
        """SHA-256 of the timestamps, for comparing a finished batch with the plan."""
        return hashlib.sha256(",".join(map(str, self.pts)).encode()).hexdigest()


_OF_CHUNK, _OF_BATCH = (tuple(one.name for one in fields(kind)) for kind in (Chunk, Batch))


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file workers read.

    Attributes:
        name: its name in messages.
        stream: index of the video stream.
        path: a path or an ``s3://`` URL, or None when `key` is used.
        key: its key in the store if it is spooled, or None.
        audio_streams: indices of the audio streams, in the result's order.
        indexed_by: how the plan learned the frames: "packets" or "decoding".
        packets: the key in the store of the recorded packets of the video stream (see
            `excamera.media.source.recorded`); None if workers take them from the file.
        pictures: the key in the store of the list of numbered pictures (see
            `excamera.media.source.pictures`) if the source is a sequence of these; else None.
        fingerprint: a digest of its content (see `excamera.media.source.media.fingerprint`).
        etag: for an object in S3, which must not change while workers read it; else "".
        modified: when that object was uploaded, ISO 8601; else "".
    """

    name: str
    stream: int
    path: str | None = None
    key: str | None = None
    audio_streams: tuple[int, ...] = ()
    indexed_by: str = "packets"
    packets: str | None = None
    pictures: str | None = None
    fingerprint: str = ""
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """The place of a result that does not stay in the job's own store.

    Attributes:
        store: URL of the store (see `mu.open_store`).
        key: the result's key there.
    """

    store: str
    key: str


@dataclass(frozen=True, slots=True)
class Light:
    """What the source says of the light of HDR pictures (SMPTE ST 2086, CTA-861.3).

    Attributes:
        primaries: x and y of red, green, blue and white of the display it was mastered on, in
            1/50000; empty if not known.
        luminance: the most and the least of that display, in 1/10000 cd/m2; empty if not known.
        content: the most light of a pixel, and the most of a picture in the mean, in cd/m2; empty
            if not known.
    """

    primaries: tuple[int, ...] = ()
    luminance: tuple[int, ...] = ()
    content: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Geometry:
    """The pictures, before and after rotation.

    Attributes:
        source_width: width of a decoded source frame, px; other frames are scaled to it.
        source_height: height of a decoded source frame, px.
        quarter_turns: rotation to apply, in quarter turns counter-clockwise, 0..3.
        flipped: mirror left to right before turning.
        sample_aspect: pixel width to height of the *turned* picture.
        matrix: H.273 matrix coefficients of the result, 2 when unspecified.
        transfer: H.273 transfer characteristics, 2 when unspecified.
        primaries: H.273 colour primaries, 2 when unspecified.
        light: of the pictures, whose colours are not changed.
        bits: of a sample of the result, 8 or 10.
        crop: width, height, x and y of what is kept of the turned picture, px; None for all.
        size: of the result, px; None if it is what is kept.
        tone: of pictures of high dynamic range that become those of a standard screen: their
            transfer characteristics, and their brightest light in cd/m^2; else None.
    """

    source_width: int
    source_height: int
    quarter_turns: int = 0
    flipped: bool = False
    sample_aspect: tuple[int, int] = (1, 1)
    matrix: int = 2
    transfer: int = 2
    primaries: int = 2
    light: Light = Light()
    bits: int = 8
    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    tone: tuple[int, int] | None = None

    @property
    def turned(self) -> tuple[int, int]:
        """Width and height of the turned picture, px."""
        width, height = self.source_width, self.source_height
        return (height, width) if self.quarter_turns % 2 else (width, height)

    @property
    def kept(self) -> tuple[int, int]:
        """Width and height of what is kept of it, px."""
        return self.turned if self.crop is None else self.crop[:2]

    @property
    def width(self) -> int:
        """Width of the result, px."""
        return (self.size or self.kept)[0]

    @property
    def height(self) -> int:
        """Height of the result, px."""
        return (self.size or self.kept)[1]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: its begin and end in the result, in nanoseconds, and its title."""

    begin_ns: int
    end_ns: int
    title: str


@dataclass(frozen=True, slots=True)
class SoundTags:
    """What a sound track says about itself: ISO 639-2, or ""; and its title, or ""."""

    language: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Tags:
    """What the result says about itself, as the source does.

    Attributes:
        title: of the film, or "".
        video_language: ISO 639-2, or "".
        sounds: of each sound track, in the result's order.
        chapters: in order of time.
    """

    title: str = ""
    video_language: str = ""
    sounds: tuple[SoundTags, ...] = ()
    chapters: tuple[Chapter, ...] = ()


@dataclass(frozen=True, slots=True)
class Rung:
    """One of the sizes of a ladder.

    Attributes:
        name: such as "720p".
        size: width and height, px.
        sample_aspect: pixel width to height.
        upload: see `Plan.upload`.
    """

    name: str
    size: tuple[int, int]
    sample_aspect: tuple[int, int] = (1, 1)
    upload: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """The facts about a whole plan that a part of it repeats.

    Attributes:
        digest: the whole plan's.
        batches: how many it has.
        until: see `Plan.until` of the part's batch.
    """

    digest: str
    batches: int
    until: int


@dataclass(frozen=True)
class Plan:
    """A whole job, or the part of it that the workers of one batch need.

    Attributes:
        source: the file that workers read.
        geometry: picture sizes and rotation.
        time_base: seconds of one tick of `Chunk.pts`.
        origin_s: source time that is 0 in the result, in seconds (0 unless the source
            starts before 0 or has an arbitrary clock).
        end: timestamp at which the last frame ends, in ticks.
        container: name of the result's, see `excamera.media.container.output`.
        options: those of the job.
        batches: all frames, in order; for a part, its one batch.
        even: by how many octaves all batches of mode anchors have coarser quantizer steps than a
            sequential encode; None leaves it to each batch.
        whole: for a part, the whole that it belongs to.
        upload: the name of the upload in parts that workers write the output with, or "".
        rate: frames a second, as the encoders of plain chunks are told.
        crf: of the batch of a part, if the job has a target (see `Job.load`); it is not stored with
            the plan, from which it follows.
        rungs: the sizes of a ladder, the largest first. Then `geometry` is that of the pictures
            of which all are made, and each size has a plan of its own, see `rung`.
        stem: how the names of a ladder's files begin.
        lead: by how many ticks frames of a ladder are decoded before the first is shown, at most.
        rung_digest: of the plan of a rung, its digest; it is not stored.
        output: the place of the result, of a ladder that of its manifest; None leaves it in the
            job's store.
        deinterlaced: whether workers make whole pictures of interlaced ones.
        tags: see there.
        notes: what a user should know of the source, a line each.
        sound_clocks: what to add to the times of each sound track: the number of the first packet
            of each piece, and seconds (see `excamera.media.source.clock`); none for a source whose
            clock does not jump.
    """

    source: SourceFile
    geometry: Geometry
    time_base: Fraction
    origin_s: Fraction
    end: int
    container: str
    options: EncodeOptions
    batches: tuple[Batch, ...] = field(repr=False)
    output: Output | None = None
    deinterlaced: bool = False
    tags: Tags = Tags()
    notes: tuple[str, ...] = ()
    sound_clocks: tuple[tuple[tuple[int, Fraction], ...], ...] = ()
    even: float | None = None
    whole: Whole | None = None
    upload: str = ""
    rate: Fraction = Fraction(25)
    crf: float | None = None
    rungs: tuple[Rung, ...] = ()
    stem: str = ""
    lead: int = 0
    rung_digest: str = ""

    @property
    def batch_options(self) -> EncodeOptions:
        """The options with which the batch of a part is encoded."""
        change = self.batches[0].crf_change
        if self.crf is None and not change:
            return self.options
        crf = self.options.exact_crf if self.crf is None else self.crf
        return self.options.with_crf(crf, change)

    def crf_of(self, batch: Batch, chosen: float | None = None) -> float:
        """The quality of a batch with its zone.

        Args:
            batch: of this plan.
            chosen: what a target has chosen for it; None without a target.
        """
        return replace(self.part(batch), crf=chosen).batch_options.exact_crf

    @property
    def repeats(self) -> bool:
        """Whether frames of the source are repeated or dropped, so that the rate is another."""
        return bool(self.options.fps) and self.source.pictures is None

    @cached_property
    def frame_count(self) -> int:
        """Number of frames of its batches."""
        return sum(len(chunk.pts) for batch in self.batches for chunk in batch.chunks)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides the result's bytes; paths and keys do not."""
        if self.whole is not None:
            return self.whole.digest
        if self.rung_digest:
            return self.rung_digest
        body = self._body()
        source = self.source
        body["source"] = [source.stream, source.audio_streams, source.fingerprint]
        del body["output"], body["upload"], body["stem"]
        for one in body["rungs"]:
            del one["upload"]
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    def part(self, batch: Batch) -> Plan:
        """The part of this plan that the workers of one batch need: as large as the batch."""
        whole = Whole(self.digest, len(self.batches), self.until(batch))
        return replace(self, batches=(batch,), whole=whole)

    def rung(self, number: int) -> Plan:
        """The plan of one size of a ladder: that of a file without sound."""
        one = self.rungs[number]
        digest = hashlib.sha256(f"{self.digest} {one.name}".encode()).hexdigest()
        container = container_of_rungs(self.container, self.options.codec)
        return replace(
            self,
            source=replace(self.source, audio_streams=()),
            geometry=replace(self.geometry, size=one.size, sample_aspect=one.sample_aspect),
            container=container,
            output=self.beside(self.file_name(one.name, container)),
            upload=one.upload,
            rungs=(),
            rung_digest=digest,
            whole=None if self.whole is None else replace(self.whole, digest=digest),
        )

    def file_name(self, name: str, container: str) -> str:
        """The name of one of a ladder's files."""
        return f"{self.stem}-{name}.{ending_of(container)}"

    def beside(self, name: str) -> Output | None:
        """The place of that name beside the output; None if that stays in the job's store."""
        if self.output is None:
            return None
        folder, slash, _ = self.output.key.rpartition("/")
        return Output(self.output.store, f"{folder}{slash}{name}")

    @property
    def places(self) -> list[Output]:
        """The places of the files of a ladder but the manifest; none in the job's store."""
        files = [self.rung(number).output for number in range(len(self.rungs))]
        return [one for one in files if one is not None]

    @property
    def pixels(self) -> int:
        """Pixels of a frame in all sizes that are encoded."""
        sizes = [one.size for one in self.rungs]
        return sum(
            width * height
            for width, height in sizes or [(self.geometry.width, self.geometry.height)]
        )

    def uncut(self) -> Plan:
        """What is known of this plan before the batches are cut, the same for every part of it."""
        return replace(self, batches=(), even=None, lead=0, whole=None)

    def batch(self, number: int) -> Batch:
        """The batch of that number."""
        return self.batches[0 if self.whole else number]

    @property
    def batch_count(self) -> int:
        """How many batches the job has."""
        return self.whole.batches if self.whole else len(self.batches)

    def until(self, batch: Batch) -> int:
        """The timestamp at which what follows a batch begins, in ticks."""
        if self.whole is not None:
            return self.whole.until
        following = self.batches[batch.number + 1 : batch.number + 2]
        return following[0].pts[0] if following else self.end

    def is_last(self, batch: Batch) -> bool:
        """Whether the result ends with this batch."""
        return batch.number == self.batch_count - 1

    def milliseconds(self, pts: int) -> int:
        """A timestamp in whole milliseconds, rounded half up."""
        return math.floor(pts * self.time_base * 1000 + Fraction(1, 2))

    def _body(self) -> dict[str, Any]:
        return {
            "version": PLAN_VERSION,
            "source": asdict(self.source),
            "geometry": asdict(self.geometry),
            "time_base": [self.time_base.numerator, self.time_base.denominator],
            "origin_s": [self.origin_s.numerator, self.origin_s.denominator],
            "end": self.end,
            "rate": [self.rate.numerator, self.rate.denominator],
            "container": self.container,
            "options": self.options.to_json(),
            "frame_count": self.frame_count,
            "batches": [_as_json(batch) for batch in self.batches],
            "even": self.even,
            "upload": self.upload,
            "rungs": [asdict(one) for one in self.rungs],
            "stem": self.stem,
            "lead": self.lead,
            "output": None if self.output is None else asdict(self.output),
            "deinterlaced": self.deinterlaced,
            "tags": asdict(self.tags),
            "notes": self.notes,
            "sound_clocks": [
                [[at, *by.as_integer_ratio()] for at, by in pieces] for pieces in self.sound_clocks
            ],
        }

    def to_json(self) -> bytes:
        """The plan as it is stored."""
        whole = None if self.whole is None else asdict(self.whole)
        return json.dumps({**self._body(), "digest": self.digest, "whole": whole}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Plan:
        """The plan that `to_json` returned."""
        body = json.loads(data)
        geometry = body["geometry"]
        for name in ("sample_aspect", "crop", "size", "tone"):
            geometry[name] = None if geometry[name] is None else tuple(geometry[name])
        light = {name: tuple(values) for name, values in geometry["light"].items()}
        geometry["light"] = Light(**light)
        tags = body["tags"]
        tags["sounds"] = tuple(SoundTags(**one) for one in tags["sounds"])
        tags["chapters"] = tuple(Chapter(**one) for one in tags["chapters"])
        source = body["source"]
        source["audio_streams"] = tuple(source["audio_streams"])
        return cls(
            source=SourceFile(**source),
            geometry=Geometry(**geometry),
            time_base=Fraction(*body["time_base"]),
            origin_s=Fraction(*body["origin_s"]),
            end=body["end"],
            rate=Fraction(*body["rate"]),
            container=body["container"],
            options=EncodeOptions.from_json(body["options"]),
            batches=tuple(
                Batch(
                    batch["number"],
                    tuple(_chunk(chunk) for chunk in batch["chunks"]),
                    batch["mode"],
                    batch["crf_change"],
                )
                for batch in body["batches"]
            ),
            output=None if body["output"] is None else Output(**body["output"]),
            deinterlaced=body["deinterlaced"],
            tags=Tags(**tags),
            notes=tuple(body["notes"]),
            sound_clocks=tuple(
                tuple((at, Fraction(*by)) for at, *by in pieces) for pieces in body["sound_clocks"]
            ),
            even=body["even"],
            upload=body["upload"],
            rungs=tuple(
                Rung(one["name"], tuple(one["size"]), tuple(one["sample_aspect"]), one["upload"])
                for one in body["rungs"]
            ),
            stem=body["stem"],
            lead=body["lead"],
            whole=None if body["whole"] is None else Whole(**body["whole"]),
        )


def _as_json(batch: Batch) -> dict[str, Any]:
    """What `asdict` returns, without a copy of each timestamp of the film."""
    chunks = [{name: getattr(chunk, name) for name in _OF_CHUNK} for chunk in batch.chunks]
    for chunk in chunks:
        chunk["around"] = None if chunk["around"] is None else asdict(chunk["around"])
    return {**{name: getattr(batch, name) for name in _OF_BATCH}, "chunks": chunks}


def _chunk(data: dict[str, Any]) -> Chunk:
    lists = {name: tuple(data[name]) for name in ("pts", "read_pts", "seek")}
    around = data["around"]
    if around is not None:
        before, behind = (tuple(map(tuple, around[name])) for name in ("before", "behind"))
        around = Around(before, behind, around["ends"])
    return Chunk(**{**data, **lists, "around": around})


def mode_of_batch(options: EncodeOptions) -> str:
    """How the chunks of a batch come to share a key frame: "anchors" or "rebase".

    The one place where mode auto decides: for now it takes anchors for every batch. In mode "plain"
    a batch is one chunk, of any other codec than VP8.
    """
    if options.is_plain:
        return "plain"
    return "anchors" if options.mode == "auto" else options.mode
