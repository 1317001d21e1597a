"""What a job costs on AWS: its usage, counted or predicted, at the prices of `mu.prices`.

This module has the requests that belong to no step; `excamera.job.steps` has those
of each step. A test compares the sums with the requests of a job on the emulator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import TypedDict

from excamera.job.aiming import ROUNDS, sample_count
from excamera.job.batches import mode_of_batch
from excamera.job.codecs import DASH, container_of_rungs
from excamera.job.cut import longest_plain, spans
from excamera.job.environments import calls_for
from excamera.job.flow import excamera_flow, way_of_batches, way_of_spans
from excamera.job.options import EncodeOptions
from excamera.job.packing import Cut, Limits, Packing
from excamera.job.records import SEGMENT_MS
from excamera.job.steps import SPREADING, STEPS, Counts, Step, step_of
from excamera.job.tally import Tally
from mu import Each, Node, Parallel, Sequence, Task
from mu.assembly import nodes
from mu.fanout import SPREAD
from mu.flow import walk
from mu.prices import GB_SECOND_USD, INVOCATION_USD, READ_USD, TRANSITION_USD, WRITE_USD

BILLED_MORE_S = 0.03
"""Seconds of a call that Lambda bills and the timeline does not record: reading the event, logging,
storing the record itself and checking whether the job was cancelled."""

UNTIMED_CALLS_S = {"start": 0.4, "admit": 0.4, "ended": 0.5}
"""Seconds of the calls around a job that have no record in its timeline."""

STARTED_S = 0.22
"""Seconds of the call of `start` until the execution has begun: eight requests of 25 ms, one after
another, and 0.02 s of CPU time, which was measured in a warm process."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The files of a ladder.

    Attributes:
        sizes: how many files of pictures there are.
        segments: segments of its sound, which is a file of its own; 0 without sound.
        manifests: files of its manifest.
    """

    sizes: int
    segments: int
    manifests: int

    @classmethod
    def of(cls, sizes: int, options: EncodeOptions, sound: int, duration_s: float) -> Ladder:
        """The files of a film's ladder of so many sizes."""
        # A playlist for each file, and one of these.
        lists = 1 if options.output_container == DASH else sizes + bool(sound) + 1
        segments = ceil(1000 * duration_s / SEGMENT_MS) if sound else 0
        # AAC begins with a packet from before the film, where there is no segment but its own.
        if sound and container_of_rungs(options.output_container, options.codec) != "webm":
            segments += 1
        return cls(sizes, segments, lists)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a job is cut, and packed into calls.

    Attributes:
        frames: number of frames of the source.
        chunks: number of chunks.
        batches: number of batches.
        shares: number of shares, each an encode call.
        divided: batches that have several shares.
        divided_shares: shares of those.
        anchored: whether batches are of mode anchors; if one is divided, its anchors are a call.
        spans: number of spans, each a call of survey.
        samples: batches that are encoded for a trial, for a target; none without one.
        spread_spans: whether one function begins all surveys.
        spread_batches: whether one begins all batches; else they are a distributed map.
        ladder: the files of the result, if these are several.
    """

    frames: int
    chunks: int
    batches: int
    shares: int
    divided: int = 0
    divided_shares: int = 0
    anchored: bool = True
    spans: int = 0
    samples: int = 0
    spread_spans: bool = False
    spread_batches: bool = False
    ladder: Ladder | None = None

    @classmethod
    def of(
        cls, frames: int, options: EncodeOptions, pixels: int = 0, limits: Limits | None = None
    ) -> Shape:
        """How that many frames of so many pixels are cut, as `excamera.job.cut` does, and packed.

        Without a survey, that is: the scenes of a film are not known before its plan.
        """
        length, most = options.lengths.usual_frames, options.lengths.usual_chunks
        if options.is_plain:
            length, most = longest_plain(options, pixels), 1
        full, rest = divmod(frames, length * most)
        of_last = -(-rest // length)
        batches = full + bool(rest)
        longest = most if full else of_last
        limits = limits or Limits()
        packing = limits.pack(Cut(batches, longest, min(frames, length * most) * pixels))
        kinds = [(full, packing.shares_of(most)), (int(rest > 0), packing.shares_of(of_last))]
        anchored = mode_of_batch(options) == "anchors"
        divided = len(spans(frames, pixels, options))
        return cls(
            frames,
            full * most + of_last,
            batches,
            shares=sum(count * shares for count, shares in kinds),
            divided=sum(count for count, shares in kinds if shares > 1),
            divided_shares=sum(count * shares for count, shares in kinds if shares > 1),
            anchored=anchored,
            spans=divided,
            samples=0 if options.target is None else sample_count(batches),
            **begun(batches, divided, limits, packing),
        )

    @classmethod
    def so_far(cls, tally: Tally, *, anchored: bool, ladder: Ladder | None = None) -> Shape:
        """What the calls of a job have done; of frames and chunks it has none.

        A function that begins calls leaves its record after theirs: until then the job is told as
        if each had been begun by an execution.
        """
        surveyed = tally.tasks["survey"] > 0
        spread_spans = surveyed and tally.tasks[SPREADING] > 0
        return cls(
            0,
            0,
            tally.batches,
            shares=tally.tasks["encode"],
            divided=tally.divided,
            divided_shares=tally.divided_shares,
            anchored=anchored,
            spans=tally.tasks["survey"],
            samples=tally.tasks["probe"] // ROUNDS,
            spread_spans=spread_spans,
            spread_batches=tally.tasks[SPREADING] > spread_spans,
            ladder=ladder,
        )

    @property
    def ahead(self) -> float:
        """Share of the frames that are coded ahead, if all batches are of mode anchors."""
        # A key frame for each batch, and an anchor for each chunk but the batch's last.
        return min(1.0, self.chunks / max(1, self.frames))

    @property
    def further_sizes(self) -> int:
        """How many sizes of a ladder there are after the first."""
        return self.ladder.sizes - 1 if self.ladder else 0

    @property
    def counts(self) -> Counts:
        """How many there are of each unit."""
        ahead = self.divided * self.anchored
        # Each call of a round reads all that those before it have found; as does the last call.
        earlier = ROUNDS * (ROUNDS - 1) // 2 * self.samples
        return Counts(
            job=1,
            span=self.spans,
            probe=ROUNDS * self.samples + 1 if self.samples else 0,
            round=ROUNDS + 1 if self.samples else 0,
            tried=self.samples * (earlier + ROUNDS),
            aimed=self.shares if self.samples else 0,
            aimed_ahead=ahead if self.samples else 0,
            target=int(self.samples > 0),
            batch=self.batches,
            share=self.shares,
            divided=self.divided,
            divided_share=self.divided_shares,
            ahead=ahead,
            ahead_share=self.divided_shares * self.anchored,
            node=nodes(self.batches),
            ladder=int(self.ladder is not None),
            ladder_batch=self.batches if self.ladder else 0,
            heard=int(self.ladder is not None and self.ladder.segments > 0),
            segment=self.ladder.segments if self.ladder else 0,
            manifest=self.ladder.manifests if self.ladder else 0,
            listed=int(not self.spread_batches),
            spread=self.spread_spans + self.spread_batches,
        )


class Begun(TypedDict):
    """The fields of `Shape` that say how spans and batches are begun."""

    spread_spans: bool
    spread_batches: bool


def begun(batches: int, divided: int, limits: Limits, packing: Packing) -> Begun:
    """How so many batches are begun, and the spans of a source that has so many."""
    return {
        "spread_spans": way_of_spans(divided, limits) == SPREAD,
        "spread_batches": way_of_batches(batches, limits, packing) == SPREAD,
    }


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job uses of AWS, including one PUT for its upload.

    Attributes:
        gb_seconds: Lambda's time, by function, in seconds with 1,024 MB.
        invocations: calls of functions.
        transitions: transitions of the state machine and its children.
        writes: requests that S3 prices as PUT.
        reads: requests that S3 prices as GET.
    """

    gb_seconds: Mapping[str, float]
    invocations: int
    transitions: int
    writes: int
    reads: int

    def dollars(self, architecture: str) -> float:
        """The cost at list prices, in US dollars."""
        return sum(self.bill(architecture).values())

    def bill(self, architecture: str) -> dict[str, float]:
        """The cost in US dollars, by kind of usage."""
        return {
            "lambda": sum(self.gb_seconds.values()) * GB_SECOND_USD[architecture],
            "invocations": self.invocations * INVOCATION_USD,
            "transitions": self.transitions * TRANSITION_USD,
            "writes": self.writes * WRITE_USD,
            "reads": self.reads * READ_USD,
        }


ASKING_S = 0.7e-3
"""Seconds of one CPU in which an environment is asked for: a request of botocore, without TLS."""


def foretold(
    shape: Shape,
    gb_seconds: Mapping[str, float],
    environments: int,
    *,
    source_reads: int = 0,
    ahead: Iterable[Mapping[str, int]] = (),
) -> Usage:
    """The usage of a job of that shape if nothing fails.

    Args:
        shape: the job's shape.
        gb_seconds: Lambda's time for the whole job, by function.
        environments: how many encode environments will open the source.
        source_reads: requests to read a share's part of the source; as many are counted for the
            anchors of a divided batch, and for a span. 0 for a source of at most half a mebibyte,
            which is read whole when opened.
        ahead: environments that the job asks for before it needs them, each time that it does.
    """
    return Usage(
        gb_seconds,
        invocations=_counted(shape, INVOCATIONS) + sum(map(calls_for, ahead)),
        transitions=_transitions(shape),
        writes=_writes(shape),
        reads=_reads(shape)
        + READS_OF_ENVIRONMENT * environments
        + source_reads * (shape.shares + shape.divided + shape.spans + 2 * shape.samples),
    )


def actual(
    tally: Tally,
    memory_mb: Mapping[str, int],
    *,
    anchored: bool = True,
    ladder: Ladder | None = None,
) -> Usage:
    """The usage of a job so far, from its calls.

    It includes retries that left a record; an attempt whose worker died leaves none. Requests are
    those that the recorded tasks make if nothing fails. Calls that have environments made leave no
    record either, and are left out.

    Args:
        tally: of its calls.
        memory_mb: memory of each function, by its name.
        anchored: whether the batches are of mode anchors.
        ladder: the files of the result, if these are several.
    """
    gb_seconds = {
        name: (seconds + BILLED_MORE_S * tally.calls[name]) * memory_mb.get(name, 0) / 1024
        for name, seconds in tally.seconds.items()
    }
    for name, seconds in UNTIMED_CALLS_S.items():
        gb_seconds[name] = seconds * memory_mb.get(name, 0) / 1024
    done = Shape.so_far(tally, anchored=anchored, ladder=ladder)
    return Usage(
        gb_seconds,
        invocations=_counted(done, INVOCATIONS) + tally.retries,
        transitions=_transitions(done) + tally.retries,
        writes=_writes(done) + tally.retries,
        reads=_reads(done)
        + READS_OF_ENVIRONMENT * min(done.shares, _SOME_ENVIRONMENTS)
        + tally.retries,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What something other than a step asks for, once in a job."""

    invocations: int = 0
    writes: int = 0
    reads: int = 0


_BESIDES = {
    "upload": _Asked(writes=1),
    # Reads the upload's metadata, looks twice for a cancellation; puts the job into the queue,
    # lists that, and reads and changes the turns.
    "start": _Asked(invocations=1, writes=4, reads=5),
    # Called when the job ends: reads and changes the turns, reads them again and lists the queue.
    "admit": _Asked(invocations=1, writes=2, reads=4),
    # Lists the timeline, stores the end, and the job's record in the catalogue with an entry;
    # looks twice for an earlier end, and once for a cancellation. Lists uploads, of which there is
    # one. Reads what was predicted; looks up, reads and changes the model.
    "ended": _Asked(invocations=1, writes=6, reads=7),
}


_NOT_LEARNED = _Asked(writes=1, reads=2)
"""What `ended` leaves out for a ladder, of which nothing is learned."""


def besides(memory_mb: Mapping[str, int], ladder: Ladder | None = None) -> Usage:
    """What a job uses besides its state machine and the functions of its flow."""
    asked, left_out, uploads = list(_BESIDES.values()), _Asked(), 0
    if ladder is not None:
        left_out, uploads = _NOT_LEARNED, ladder.sizes - 1
    return Usage(
        {name: s * memory_mb.get(name, 0) / 1024 for name, s in UNTIMED_CALLS_S.items()},
        invocations=sum(one.invocations for one in asked),
        transitions=0,
        writes=sum(one.writes for one in asked) - left_out.writes,
        reads=sum(one.reads for one in asked) - left_out.reads + uploads,
    )


_SOME_ENVIRONMENTS = 100


def _unit(step: Step) -> str:
    return step.per.name.lower()


def _entered(node: Node, unit: str = "job") -> Counts:
    """States that a state machine enters for a node, which are Step Functions' transitions."""
    match node:
        case Task():
            return Counts(**{unit: 1})
        case Sequence():
            return sum((_entered(step, unit) for step in node.steps), Counts())
        case Parallel():
            branches = (_entered(one, unit) for one in node.branches.values())
            return sum(branches, Counts(**{unit: 1}))
        case Each():
            if isinstance(node.body, Each):
                return Counts(**{unit: 1}) + _entered(node.body, "round")
            # A body of several nodes is a batch.
            of_body = _unit(step_of(node.body.name)) if isinstance(node.body, Task) else "batch"
            own = Counts(**{unit: 1}) + _entered(node.body, of_body)
            # The choice of its way.
            return own if node.way is None else own + Counts(**{unit: 1})


def _sum(of_steps: Iterable[Counts], besides: Iterable[int]) -> Counts:
    return sum(of_steps, Counts(job=sum(besides)))


INVOCATIONS = Counts(spread=1) + _sum(
    (Counts(**{_unit(step): 1}) for step in STEPS),
    (asked.invocations for asked in _BESIDES.values()),
)
# One is into the state that ends the job.
TRANSITIONS = _entered(excamera_flow()) + Counts(job=1)
# A distributed map writes what became of the batches. A function that runs a map writes a record.
WRITES = Counts(listed=1, spread=1, ladder=-_NOT_LEARNED.writes) + _sum(
    (step.writes for step in STEPS), (asked.writes for asked in _BESIDES.values())
)
# Whoever runs the map reads the list of batches. A function that does looks twice for a
# cancellation, and more often as it takes longer.
READS = Counts(job=1, spread=2, ladder=-_NOT_LEARNED.reads) + _sum(
    (step.reads for step in STEPS), (asked.reads for asked in _BESIDES.values())
)
"""What a job asks for if nothing fails; docs/cloud-overhead.md has the measured counts."""

_WRITES_OF_SIZE = sum((step.writes_of_size for step in STEPS), Counts())
# Each size has an upload, which is looked for at the end of the job.
_READS_OF_SIZE = sum((step.reads_of_size for step in STEPS), Counts(job=1))

READS_OF_ENVIRONMENT = sum(step.reads_of_environment for step in STEPS)


def _bodies(name: str) -> Counts:
    """States that a distributed map's children enter."""
    (node,) = (one for one in walk(excamera_flow()) if isinstance(one, Each) and one.name == name)
    return _entered(node.body, _unit(step_of(node.body.name)) if name == "spans" else "batch")


_OF_SPANS, _OF_BATCHES = _bodies("spans"), _bodies("batches")


def _transitions(shape: Shape) -> int:
    # The state of a map is entered, or that of the function which runs it; none for an empty list.
    counts = shape.counts
    total = TRANSITIONS.times(counts) - (not shape.spans)
    total -= shape.spread_spans * _OF_SPANS.times(counts)
    return total - shape.spread_batches * _OF_BATCHES.times(counts)


def _writes(shape: Shape) -> int:
    return _counted(shape, WRITES) + shape.further_sizes * _counted(shape, _WRITES_OF_SIZE)


def _reads(shape: Shape) -> int:
    """Without those of each environment."""
    return _counted(shape, READS) + shape.further_sizes * _counted(shape, _READS_OF_SIZE)


def _counted(shape: Shape, counts: Counts) -> int:
    return counts.times(shape.counts)
