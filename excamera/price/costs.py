"""What a job costs on AWS: what it uses, counted or foretold, and the prices of that.

All constants that prices and counts depend on are here. The counts are those of the deployed
stack; a test holds them to what a job on the emulator really asks for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from excamera.job.options import EncodeOptions
from mu import Attempt

GB_SECOND_USD = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
"""Lambda's price of a second with 1,024 MB, by architecture."""

INVOCATION_USD = 0.20 / 1e6
TRANSITION_USD = 25 / 1e6  # Step Functions, Standard
WRITE_USD = 0.005 / 1000  # S3: PUT, COPY, LIST and the requests of multipart uploads
READ_USD = 0.0004 / 1000  # S3: GET, HEAD
"""List prices of us-east-1 in US dollars; other regions differ by some percent."""

BILLED_MORE_S = 0.03
"""What Lambda bills of a call beyond what the timeline records: reading the event, logging,
storing the record itself and looking whether the job was cancelled."""

UNTIMED_CALLS_S = {"start": 0.3, "ended": 0.5}
"""Seconds of the calls around a job that leave no record in its timeline."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a job is cut.

    Attributes:
        frames: of the source.
        chunks: of the job, each an encode call.
        batches: of the job, each a rebase call.
    """

    frames: int
    chunks: int
    batches: int

    @classmethod
    def of(cls, frames: int, options: EncodeOptions) -> Shape:
        """How options cut so many frames, as `excamera.job.plan.cut` does."""
        full, rest = divmod(frames, options.chunk_frames * options.batch_chunks)
        chunks = full * options.batch_chunks + ceil(rest / options.chunk_frames)
        return cls(frames, chunks, full + bool(rest))


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job asks of AWS, one PUT for its upload included.

    Attributes:
        gb_seconds: Lambda's time, by function, in seconds with 1,024 MB.
        invocations: of functions.
        transitions: of the state machine and its children.
        writes: requests to S3 that are priced as PUT.
        reads: requests to S3 that are priced as GET.
    """

    gb_seconds: Mapping[str, float]
    invocations: int
    transitions: int
    writes: int
    reads: int

    def dollars(self, architecture: str) -> float:
        """At list prices, in US dollars."""
        return sum(self.bill(architecture).values())

    def bill(self, architecture: str) -> dict[str, float]:
        """US dollars by what they are paid for."""
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
    """What a job of that shape will ask for when nothing fails.

    Args:
        shape: of the job.
        gb_seconds: of the whole job, by function.
        environments: how many encode environments will open the source.
        source_reads: requests that encode and rebase each make to read a chunk's part of the
            source; 0 for one of at most half a mebibyte, which is read whole when it is opened.
    """
    return Usage(
        gb_seconds,
        invocations=_counted(shape, _INVOCATIONS),
        transitions=_counted(shape, _TRANSITIONS),
        writes=_counted(shape, _WRITES),
        reads=_counted(shape, _READS)
        + _READS_OF_ENVIRONMENT * environments
        + 2 * source_reads * shape.chunks,
    )


def actual(attempts: Iterable[Attempt], memory_mb: Mapping[str, int]) -> Usage:
    """What a job has asked for so far, by its timeline.

    Retries are in it as far as they left a record: one whose worker died did not. Requests are
    those that such tasks make when nothing fails.

    Args:
        attempts: all that its timeline has.
        memory_mb: of each function, by step.
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
    done = Shape(0, sum(t.startswith("encode") for t in numbers),
                 sum(t.startswith("rebase") for t in numbers))  # fmt: skip
    retries = sum(number - 1 for number in numbers.values())
    return Usage(
        dict(gb_seconds),
        invocations=_counted(done, _INVOCATIONS) + retries,
        transitions=_counted(done, _TRANSITIONS) + retries,
        writes=_counted(done, _WRITES) + retries,
        reads=_counted(done, _READS)
        + _READS_OF_ENVIRONMENT * min(done.chunks, _SOME_ENVIRONMENTS)
        + retries,
    )


# Of each job, each batch and each chunk; what docs/cloud-overhead.md counts.
_Counts = tuple[int, int, int]
_INVOCATIONS: _Counts = (5, 1, 1)
_TRANSITIONS: _Counts = (6, 2, 1)
_WRITES: _Counts = (12, 4, 3)
_READS: _Counts = (19, 9, 4)
_READS_OF_ENVIRONMENT = 2
_SOME_ENVIRONMENTS = 100


def _counted(shape: Shape, counts: _Counts) -> int:
    each_job, each_batch, each_chunk = counts
    return each_job + each_batch * shape.batches + each_chunk * shape.chunks
