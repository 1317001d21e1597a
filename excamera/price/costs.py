"""What a job costs on AWS: its usage, counted or predicted, at the prices of `mu.prices`.

This module has the requests that belong to no step; `excamera.job.steps` has those
of each step. A test compares the sums with the requests of a job on the emulator.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from excamera.job.cut import spans
from excamera.job.flow import excamera_flow
from excamera.job.options import EncodeOptions
from excamera.job.plan import mode_of_batch
from excamera.job.steps import STEPS, Counts, Per, step_of
from mu import Attempt, Each, Node, Parallel, Sequence, Task
from mu.assembly import nodes
from mu.flow import walk
from mu.prices import GB_SECOND_USD, INVOCATION_USD, READ_USD, TRANSITION_USD, WRITE_USD

BILLED_MORE_S = 0.03
"""Seconds of a call that Lambda bills and the timeline does not record: reading the event, logging,
storing the record itself and checking whether the job was cancelled."""

UNTIMED_CALLS_S = {"start": 0.3, "admit": 0.6, "ended": 0.5}
"""Seconds of the calls around a job that have no record in its timeline."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a job is cut.

    Attributes:
        frames: number of frames of the source.
        chunks: number of chunks, each an encode call.
        batches: number of batches, each a call of anchors and one of join.
        spans: number of spans, each a call of survey.
        anchored_batches: batches of mode anchors.
        anchored_chunks: chunks of those batches that have ordinary frames.
        rebased_batches: batches of mode rebase that have more than one chunk.
    """

    frames: int
    chunks: int
    batches: int
    anchored_batches: int = 0
    anchored_chunks: int = 0
    rebased_batches: int = 0
    spans: int = 0

    @classmethod
    def of(cls, frames: int, options: EncodeOptions, pixels: int = 0) -> Shape:
        """How the options cut that many frames of so many pixels, as `excamera.job.cut` does.

        Without a survey, that is: the scenes of a film are not known before its plan.
        """
        length, most = options.usual_frames, options.usual_chunks
        full, rest = divmod(frames, length * most)
        last = [min(length, rest - start) for start in range(0, rest, length)]
        kinds = [(full, [length] * most), (1, last)] if last else [(full, [length] * most)]
        shape = cls(
            frames,
            full * most + len(last),
            full + bool(rest),
            spans=len(spans(frames, pixels, options)),
        )
        if mode_of_batch(options) == "rebase":
            joined = sum(count for count, lengths in kinds if len(lengths) > 1)
            return replace(shape, rebased_batches=joined)
        ordinary = sum(count * _with_ordinary(lengths) for count, lengths in kinds)
        return replace(shape, anchored_batches=shape.batches, anchored_chunks=ordinary)

    @property
    def ahead(self) -> float:
        """Share of the frames that are coded ahead, if all batches are of mode anchors."""
        # A key frame for each batch, and an anchor for each chunk but the batch's last.
        return min(1.0, self.chunks / max(1, self.frames))

    @property
    def counts(self) -> Counts:
        """How many there are of each unit."""
        return Counts(1, self.batches, self.chunks, self.anchored_batches, self.anchored_chunks,
                      self.rebased_batches, self.spans, nodes(self.batches))  # fmt: skip


def _with_ordinary(lengths: list[int]) -> int:
    """How many chunks of a batch have frames that are not coded ahead."""
    last = len(lengths) - 1
    return sum(length > (number == 0) + (number < last) for number, length in enumerate(lengths))


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


def foretold(
    shape: Shape, gb_seconds: Mapping[str, float], environments: int, *, source_reads: int = 0
) -> Usage:
    """The usage of a job of that shape if nothing fails.

    Args:
        shape: the job's shape.
        gb_seconds: Lambda's time for the whole job, by function.
        environments: how many encode environments will open the source.
        source_reads: requests to read a chunk's part of the source, which two steps do: encode,
            and anchors or join; as many are counted for a span. 0 for a source of at most half a
            mebibyte, which is read whole when opened.
    """
    return Usage(
        gb_seconds,
        invocations=_counted(shape, INVOCATIONS),
        transitions=_counted(shape, TRANSITIONS),
        writes=_counted(shape, WRITES),
        reads=_counted(shape, READS)
        + READS_OF_ENVIRONMENT * environments
        + source_reads * (2 * shape.chunks + shape.spans),
    )


def actual(
    attempts: Iterable[Attempt], memory_mb: Mapping[str, int], anchored: float = 1.0
) -> Usage:
    """The usage of a job so far, from its timeline.

    It includes retries that left a record; an attempt whose worker died leaves none. Requests are
    those that the recorded tasks make if nothing fails. A timeline does not tell the modes of
    batches, nor which chunks and batches ask for less because they are very short.

    Args:
        attempts: all attempts of its timeline.
        memory_mb: memory of each function, by its name.
        anchored: share of the batches that are of mode anchors.
    """
    calls: Counter[str] = Counter()
    gb_seconds: defaultdict[str, float] = defaultdict(float)
    numbers: dict[str, int] = {}
    for attempt in attempts:
        calls[attempt.name] += 1
        numbers[attempt.task] = max(numbers.get(attempt.task, 0), attempt.number)
        seconds = attempt.milliseconds / 1000 + BILLED_MORE_S
        gb_seconds[attempt.name] += seconds * memory_mb.get(attempt.name, 0) / 1024
    for name, seconds in UNTIMED_CALLS_S.items():
        gb_seconds[name] = seconds * memory_mb.get(name, 0) / 1024
    tasks = Counter(task.partition("-")[0] for task in numbers)
    chunks, batches = _most(tasks, Per.CHUNK), _most(tasks, Per.BATCH)
    of_anchors = round(anchored * batches)
    done = Shape(
        0,
        chunks,
        batches,
        anchored_batches=of_anchors,
        anchored_chunks=round(anchored * chunks),
        rebased_batches=batches - of_anchors,
        spans=_most(tasks, Per.SPAN),
    )
    retries = sum(number - 1 for number in numbers.values())
    return Usage(
        dict(gb_seconds),
        invocations=_counted(done, INVOCATIONS) + retries,
        transitions=_counted(done, TRANSITIONS) + retries,
        writes=_counted(done, WRITES) + retries,
        reads=_counted(done, READS)
        + READS_OF_ENVIRONMENT * min(done.chunks, _SOME_ENVIRONMENTS)
        + retries,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What something other than a step asks for, once in a job."""

    invocations: int = 0
    writes: int = 0
    reads: int = 0


_BESIDES = {
    "upload": _Asked(writes=1),
    # Reads the upload's metadata, looks for a cancellation; puts the job into the queue.
    "start": _Asked(invocations=1, writes=2, reads=2),
    # Called when the job is queued and when it ends. Each time it lists the queue, and reads and
    # changes the turns; when the job ends, twice. It reads the job, and looks for a cancellation.
    "admit": _Asked(invocations=2, writes=4, reads=8),
    # Reads the list of batches, and writes what became of them.
    "state machine": _Asked(writes=1, reads=1),
    # Lists the timeline, stores the end, and the job's record in the catalogue with an entry;
    # looks twice for an earlier end, and once for a cancellation. Lists uploads, of which there is
    # one.
    "ended": _Asked(invocations=1, writes=5, reads=4),
}

_SOME_ENVIRONMENTS = 100


def _once(per: Per) -> Counts:
    return Counts(**{per.name.lower(): 1})


def _entered(node: Node, per: Per = Per.JOB) -> Counts:
    """States that a state machine enters for a node, which are Step Functions' transitions."""
    match node:
        case Task():
            return _once(per)
        case Sequence():
            return sum((_entered(step, per) for step in node.steps), Counts())
        case Parallel():
            return sum((_entered(one, per) for one in node.branches.values()), _once(per))
        case Each():
            first = next(one for one in walk(node.body) if isinstance(one, Task))
            return _once(per) + _entered(node.body, step_of(first.name).per)


def _sum(of_steps: Iterable[Counts], besides: Iterable[int]) -> Counts:
    return sum(of_steps, Counts(job=sum(besides)))


INVOCATIONS = _sum(
    (_once(step.per) for step in STEPS), (asked.invocations for asked in _BESIDES.values())
)
TRANSITIONS = _entered(excamera_flow()) + Counts(job=1)  # into the state that ends the job
WRITES = _sum((step.writes for step in STEPS), (asked.writes for asked in _BESIDES.values()))
READS = _sum((step.reads for step in STEPS), (asked.reads for asked in _BESIDES.values()))
"""What a job asks for if nothing fails; docs/cloud-overhead.md has the measured counts."""

READS_OF_ENVIRONMENT = sum(step.reads_of_environment for step in STEPS)


def _counted(shape: Shape, counts: Counts) -> int:
    return counts.times(shape.counts)


def _most(tasks: Mapping[str, int], per: Per) -> int:
    """The number of such units in a timeline: that of the step which got furthest."""
    return max(tasks.get(step.name, 0) for step in STEPS if step.per is per)
