"""Records of what is stored of a job: of the objects that steps have made, and of its failure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The record of one object; it lies beside the object as JSON.

    Attributes:
        plan: digest of the plan that the object belongs to.
        size: of the object, in bytes.
        started: Unix time when work on it began.
        finished: Unix time when it was complete.
    """

    plan: str = ""
    size: int = 0
    started: float = 0.0
    finished: float = 0.0

    def to_json(self) -> bytes:
        """The record as it is stored."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The record that `to_json` returned; fields that are not known here are ignored.

        Raises:
            TypeError: a field is missing.
        """
        return cls(**known(cls, json.loads(data)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRecord(Record):
    """What the pictures of a span are to each other; there is no object beside it.

    Costs are sums over the blocks of a picture's sketch (see `excamera.media.surveyor`). A span
    that cannot be decoded has none.

    Attributes:
        first: number of the span's first picture in the source.
        blocks: of a sketch.
        alone: of each picture, its cost without others.
        last: of each picture, its cost from the one before; 0 if there is none.
        before_last: [number, cost from the one before the last] of pictures that need it.
        distant: [number, costs from pictures at some distances before] of every twelfth picture.
        known: numbers of pictures that seem new, but are another page of the same text.
        lost: the fields of an `excamera.media.losses.Lost` for each usual batch; none in mode
            rebase, and of a source that was indexed by decoding.
    """

    first: int
    blocks: int = 1
    alone: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    before_last: list[list[int]] = field(default_factory=list)
    distant: list[list[int]] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    lost: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorsRecord(Record):
    """The frames of a batch that are coded ahead; each list has an item for each chunk.

    Attributes:
        opening: how many of the object's frames open the chunk.
        closing: how many close it.
        encode: what the chunk's worker has to know: `y_ac_qi` of its ordinary frames.
        bytes: of coded frames.
    """

    opening: list[int]
    closing: list[int]
    encode: list[dict[str, Any]]
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRecord(Record):
    """One of several shares of a batch; in mode anchors without the frames that are coded ahead.

    Attributes:
        chunks: how many of the object's frames each of its chunks has.
        digests: of each chunk, in mode anchors, see `excamera.media.anchors.digest_of`.
    """

    chunks: list[int]
    digests: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRecord(Record):
    """A sample of the film, encoded for a job with a target; there is no object beside it.

    Attributes:
        crf: with which it was encoded, with its eighths; -1 if it was not, as enough was known.
        frames: shown frames.
        packets: coded frames.
        bytes: of coded frames.
        key_bytes: of the key frame.
        loss: of the luma, if the target is a quality: the mean of 1 - SSIM, or the mean squared
            error as a share of 255 squared.
    """

    crf: float
    frames: int = 0
    packets: int = 0
    bytes: int = 0
    key_bytes: int = 0
    loss: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AimRecord(Record):
    """The quality of each batch of a job with a target; there is no object beside it.

    Attributes:
        crfs: of each batch, with their eighths.
        expected: bits of all batches, or dB of the film.
        limit: why the target cannot be met, or "".
    """

    crfs: list[float]
    expected: float
    limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord(Record):
    """A batch as it stands in the result.

    Attributes:
        frames: shown frames.
        packets: coded frames.
        pts: see `excamera.job.batches.Batch.pts_digest`.
        bytes: of coded frames.
        key_frames: how many of them are key frames.
        cues: what the result's container has to know of the object, which has the sound of the
            batch, too (see `excamera.media.container.protocol.Cues`).
        states: digests of the decoder's state after each chunk.
        config: the configuration of the stream in hexadecimal, see
            `excamera.media.codecs.OutputCodec`; "" if its codec has none.
        timings: seconds of each part of the work, by name.
        work: what the calls for this batch took, see `excamera.job.tally.work_of_batch`.
    """

    frames: int
    packets: int
    pts: str
    bytes: int
    key_frames: int
    cues: Any
    states: list[str]
    config: str
    timings: dict[str, float]
    work: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """A sound track of the job.

    Attributes:
        place: its number among the plan's tracks, from 0; those that hold no sound have no record.
        blocks: packets of Opus or AAC.
        copied: whether the packets are the source's own.
        skipped_packets: packets of the source that could not be decoded.
        end_ms: when the sound ends.
        channels: of the sound.
        private: the `OpusHead` or AudioSpecificConfig structure, in hexadecimal.
        delay_ns: sound that a decoder must drop at the start.
        rate: samples of a second.
        first: of AAC, where the first packet begins on the result's clock, in samples.
        samples: of AAC, how many are heard.
        note: what a user should know of the sound, or "".
    """

    place: int = 0
    blocks: int = 0
    copied: bool = False
    skipped_packets: int = 0
    end_ms: float = 0.0
    channels: int = 0
    private: str = ""
    delay_ns: int = 0
    rate: int = 48_000
    first: int = 0
    samples: int = 0
    note: str = ""

    @property
    def delay(self) -> int:
        """`delay_ns` in samples."""
        return round(self.delay_ns * self.rate / 1_000_000_000)


SEGMENT_MS = 30_000
"""Milliseconds of sound in a segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRecord(Record):
    """The sound of the whole job, as packets (see `excamera.media.segments`).

    Attributes:
        segments: [number, offset, size] of each segment that has packets, in order.
        tracks: a `TrackRecord` of each track that holds sound, in the result's order.
    """

    segments: list[list[int]] = field(default_factory=list)
    tracks: list[TrackRecord] = field(default_factory=list)

    @property
    def blocks(self) -> int:
        """Packets of all tracks."""
        return sum(one.blocks for one in self.tracks)

    @property
    def end_ms(self) -> float:
        """When the last track ends."""
        return max((one.end_ms for one in self.tracks), default=0.0)

    @property
    def manner(self) -> str:
        """How the packets were made: "copied", "encoded", "mixed" or "none"."""
        manners = {"copied" if one.copied else "encoded" for one in self.tracks} or {"none"}
        return "mixed" if len(manners) > 1 else manners.pop()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """See `Record.from_json`."""
        body = known(cls, json.loads(data))
        body["tracks"] = [TrackRecord(**one) for one in body.get("tracks", ())]
        return cls(**body)


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """Why a job failed.

    Attributes:
        step: the step that failed, or `excamera.lifecycle.failure.JOB`.
        error: name of the error.
        message: the error in a user's words.
        span: number of the span whose survey failed, if one did.
        batch: number of the batch that failed, if one did.
        share: number of the share of it, if one failed.
        cause: the cause as Step Functions caught it.
        time: Unix time of the record.
        redrives: how often the execution had been redriven when the job failed.
    """

    step: str
    error: str
    message: str
    span: int | None = None
    batch: int | None = None
    share: int | None = None
    cause: str = ""
    time: float = 0.0
    redrives: int | None = None

    def to_json(self) -> bytes:
        """The record as it is stored, without what is not known."""
        told = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps(told, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The record that `to_json` returned; fields that are not known here are ignored."""
        return cls(**known(cls, json.loads(data)))


def known(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """What a dataclass has fields for; a newer version of this program may have stored more."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in data.items() if name in names}
