"""What steps return: what a job is known by while it runs, and what it has come to.

All of it travels in events, so it stays small however long the film is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from excamera.job.records import known
from excamera.job.steps import ENCODING


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """The result of the index step; small enough for an event.

    Attributes:
        frames: of the source.
        spans: numbers of the spans to survey.
        spans_at_once: spans under way at the same time, at most.
        span_threads: of a worker that surveys; 0 for one on each of its CPUs.
        limits: of the job, see `excamera.job.packing.Limits`.
        way: how the surveys are begun, see `mu.fanout.way_of`.
        planned: what was chosen for its goal, see `excamera.price.planner.Planned.to_json`; None
            for a job without one.
    """

    frames: int
    spans: list[int]
    spans_at_once: int
    span_threads: int
    limits: dict[str, Any]
    way: str
    planned: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The summary as the step's result."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job takes; None for what is not known.

    Attributes:
        seconds: from the start of its execution to its end.
        usd: dollars at list prices, as `excamera.price.costs.actual` counts them.
        bytes: of its result.
    """

    seconds: float | None = None
    usd: float | None = None
    bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """What is known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the plan step expects of a job.

    Attributes:
        seconds: see `Outcome`.
        usd: likewise.
        bytes: likewise.
        computing_s: the part of `seconds` in which calls compute; the rest are waits.
        calls_s: seconds of all calls that encode, and code anchors.
        waits: the `Pace.waits` that it was made with.
    """

    seconds: float
    usd: float
    bytes: int
    computing_s: float
    calls_s: float
    waits: float

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The prediction that `PlanSummary` has; fields that are not known here are ignored."""
        return cls(**known(cls, data))

    def to_json(self) -> dict[str, Any]:
        """The prediction as `PlanSummary` has it."""
        return asdict(self)

    @property
    def outcome(self) -> Outcome:
        """What users are told of it."""
        return Outcome(self.seconds, self.usd, self.bytes)


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """The result of the plan step; small enough for an event.

    Attributes:
        items: key of the list of batches.
        results: key prefix under which an engine may list the outcomes of the batches.
        assembly: key prefix of what is known of the joined batches, see `mu.Assembly`.
        frames: of the source.
        chunks: of the job.
        batches: of the job.
        shares: of all batches.
        spans: that were surveyed, each by a worker of its own.
        anchored: how many batches are of mode anchors.
        divided: how many batches have several shares.
        batches_at_once: batches under way at the same time, at most.
        shares_at_once: shares of one batch under way at the same time, at most.
        threads: of a worker that encodes; 0 for one on each of its CPUs.
        size: number of the size of the function that encodes; 0 for the usual one.
        memory_mb: of that function; 0 for the usual one.
        useful: functions that could encode the job at the same time, if the account ran so many.
        concurrency: functions that all jobs together may run at the same time, if known; less if
            the account was too busy for so many.
        width: of the result, px.
        height: of the result, px.
        duration_s: of the result, in seconds.
        sound: how many audio streams of the source the result keeps.
        bits: of a sample of the result.
        indexed_by: see `excamera.job.plan.SourceFile`.
        notes: see `excamera.job.plan.Plan`.
        options: with which it is encoded: its own, and those that the upload's metadata asks for.
        predicted: a `Prediction`; None if there is none.
        way: how the batches are begun, see `mu.fanout.way_of`.
        planned: see `IndexSummary`.
        rounds: in which samples are encoded, see `excamera.job.aiming.Sampling.rounds`; none
            without a target.
        rungs: how many sizes of a ladder there are; 0 without one.
    """

    items: str
    results: str
    assembly: str
    frames: int
    chunks: int
    batches: int
    shares: int
    spans: int
    anchored: int
    divided: int
    batches_at_once: int
    shares_at_once: int
    threads: int
    useful: int
    concurrency: int | None
    width: int
    height: int
    duration_s: float
    sound: int
    indexed_by: str
    notes: list[str] = field(default_factory=list)
    bits: int = 8
    size: int = 0
    memory_mb: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    predicted: dict[str, Any] | None = None
    way: str = ""
    planned: dict[str, Any] | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    rungs: int = 0

    def memory(self, usual: Mapping[str, int]) -> dict[str, int]:
        """MB of each function that the job calls, from those of their usual sizes."""
        return {**usual, **({ENCODING: self.memory_mb} if self.memory_mb else {})}

    def to_json(self) -> dict[str, Any]:
        """The summary as the step's result."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The summary that `to_json` returned; fields that are not known here are ignored."""
        return cls(**known(cls, data))


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of the stitch step, and of the whole job.

    Attributes:
        key: of the finished file, in the plan's output store if it names one.
        size: of the file, in bytes.
        frames: shown frames.
        key_frames: one for each batch.
        duration_s: of what ends last, picture or sound, in seconds.
        video_bytes: of coded frames.
        sound: "copied", "encoded", "mixed" if some tracks are copied and others not, or "none".
        notes: what a user should know of the source, a line each.
        target: an `excamera.job.target.Reached`; None for a job without a target.
        files: of a ladder, `name`, `key` and `size` in bytes of each file, the manifest last. Then
            `key` is the manifest's, and `size` that of all files together.
    """

    key: str
    size: int
    frames: int
    key_frames: int
    duration_s: float
    video_bytes: int
    sound: str
    notes: list[str] = field(default_factory=list)
    target: dict[str, Any] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The result as the step's result."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The result that `to_json` returned; fields that are not known here are ignored."""
        return cls(**known(cls, data))
