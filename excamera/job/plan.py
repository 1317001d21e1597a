"""The plan of a job: which worker encodes which frames."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from excamera.job.batches import Batch, batch_json, chunk_of
from excamera.job.codecs import container_of_rungs, ending_of
from excamera.job.geometry import Geometry, Light, Rung
from excamera.job.options import EncodeOptions
from excamera.job.tags import Chapter, SoundTags, Tags

PLAN_VERSION = 10


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
    tags: Tags = Tags()  # noqa: RUF009 (it cannot change)
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
            "batches": [batch_json(batch) for batch in self.batches],
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
                    tuple(chunk_of(chunk) for chunk in batch["chunks"]),
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
