"""What docs/limits.md compares with AWS's limits: a long film, and a hundred jobs at once.

The film takes three hours in 4K, at 24 or 60 frames a second, with default options. The jobs are a
hundred films of ten minutes in 1080p, or of a minute in CIF, that are uploaded in the same second.
Of each kind, the one that comes nearer to a limit counts. Rates are those of `excamera.price`'s
model, whose pace was measured on a machine that is not Lambda.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from excamera.job.batches import Batch
from excamera.job.cut import Frames, cut, spans
from excamera.job.options import EncodeOptions
from excamera.job.packing import capacity_of
from excamera.job.steps import DEFAULT_MEMORY_MB, STEPS
from excamera.lifecycle import admission
from excamera.lifecycle.uploads import job_of_upload
from excamera.price.costs import Usage
from excamera.price.estimate import Estimate, estimate
from excamera.price.film import Film
from excamera.price.workers import Workers
from mu import MemoryStore
from mu.fanout import DISTRIBUTED
from stacks.quotas import quota

Definition = dict[str, Any]

CONCURRENCY = quota("functions at the same time").most
JOBS = 100
WORKERS = Workers(DEFAULT_MEMORY_MB, concurrency=capacity_of(CONCURRENCY))
TRANSITIONS = quota("state transitions a second").most

_LONG = Film(3 * 3600 * 24, 3840, 2160, 3 * 3600), Film(3 * 3600 * 60, 3840, 2160, 3 * 3600)
_MANY = Film(600 * 24, 1920, 1080, 600), Film(60 * 24, 352, 288, 60)
_LONGEST_KEY = quota("key").most
_KEYFRAME_EVERY = 120


def size(value: Any) -> int:
    """Bytes of a value as JSON."""
    return len(json.dumps(value).encode())


def job_event(options: EncodeOptions) -> dict[str, Any]:
    """The largest event that can start a job: its key has the maximal length."""
    key = "é" * ((_LONGEST_KEY - len("/film.mp4")) // 2) + "/film.mp4"
    detail = {
        "bucket": {"name": "b" * 63},
        "object": {"key": key, "version-id": "v" * 32, "sequencer": "0" * 16},
    }
    return job_of_upload(detail, options=options.to_json(), output_store="s3://" + "o" * 63)


def cut_film(frames: int, options: EncodeOptions) -> list[Batch]:
    """The batches of a film of so many frames, with a key frame every 120 in its source."""
    pts = [1501 * n for n in range(frames)]
    seeks: list[tuple[int, ...]] = [(pts[n - n % _KEYFRAME_EVERY],) for n in range(frames)]
    return list(cut(Frames(pts, pts, seeks), options))


def payloads(
    options: EncodeOptions, batches: list[Batch], frames: int, pixels: int
) -> dict[str, Any]:
    """The largest inputs and outputs of states of a film's job, by what they are."""
    job = job_event(options)
    surveyed = len(spans(frames, pixels, EncodeOptions()))
    indexed = {
        "frames": frames,
        "spans": list(range(surveyed)),
        "spans_at_once": WORKERS.limits.workers,
        "span_threads": 0,
        "limits": asdict(WORKERS.limits),
        "way": DISTRIBUTED,
    }
    planned = {
        "items": f"jobs/{job['job']}/items.json",
        "results": f"jobs/{job['job']}/map",
        "frames": frames,
        "chunks": sum(len(batch.chunks) for batch in batches),
        "batches": len(batches),
        "sound": True,
        "indexed_by": "packets",
        "way": DISTRIBUTED,
    }
    caught = {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "x" * 32_768}
    longest = max(batches, key=lambda batch: len(batch.chunks))
    shares = min(WORKERS.batch_workers, len(longest.chunks))
    return {
        "the surveys of all spans": [{"frames": 648}] * surveyed,
        "the state of a job that failed": {
            **job,
            "indexed": indexed,
            "ready": {"audio": {"blocks": frames, "copied": False}, "plan": planned},
            "failed": {"batches": caught},
        },
        "an item of the map": {
            "job": job["job"],
            "batch": longest.number,
            "ahead": [longest.number],
            "shares": list(range(shares)),
            "of": shares,
            "threads": 0,
            "shares_at_once": shares,
        },
        "the shares of a batch": [{"frames": options.chunk_frames * len(longest.chunks)}] * shares,
    }  # fmt: skip


def events(scope: Definition, shares: int, retries: int) -> int:
    """The most events that one execution of a scope can leave in its history.

    A Lambda task leaves five events and three more for each further attempt; states around
    others leave two for themselves, and two for what they start. A distributed map's
    children have histories of their own.

    Args:
        scope: a definition, a branch or an item processor.
        shares: of the batch, if the scope is the map's item processor.
        retries: of each task.
    """
    total = 0
    for name, state in scope["States"].items():
        match state["Type"]:
            case "Task" if not name.endswith(" failed"):
                total += 5 + 3 * retries
            case "Parallel":
                total += 4 + sum(events(one, shares, retries) for one in state["Branches"])
            case "Map":
                total += 6
                processor = state["ItemProcessor"]
                if processor["ProcessorConfig"]["Mode"] == "INLINE":
                    calls = 1 if name == "ahead" else shares
                    total += calls * (2 + events(processor, shares, retries))
            case "Succeed":
                total += 2
    return total


def batch_of(machine: Definition) -> Definition:
    """The part of the state machine's definition that a child of the map runs for a batch."""
    found: Definition = machine["States"][f"batches {DISTRIBUTED}"]["ItemProcessor"]
    return found


def histories(machine: Definition, shares: int, retries: int) -> int:
    """The longest history of a job's execution and of a child, for a batch of so many shares."""
    return 2 + max(events(machine, 0, retries), events(batch_of(machine), shares, retries))


def all_retries(machine: Definition) -> int:
    """How often a task is tried again at most."""
    return sum(rule["MaxAttempts"] for rule in machine["States"]["index"]["Retry"])


@dataclass(frozen=True)
class Rates:
    """What happens in a second while all workers encode.

    Attributes:
        calls: calls of functions.
        transitions: state transitions, if nothing limited them.
        writes: requests to the work bucket that S3 prices as PUT.
        reads: reads from the work bucket, or from the input bucket if these are more.
    """

    calls: float
    transitions: float
    writes: float
    reads: float


@dataclass(frozen=True)
class Workload:
    """Jobs of equal films.

    Attributes:
        film: the film.
        jobs: how many there are.
    """

    film: Film
    jobs: int

    @cached_property
    def options(self) -> EncodeOptions:
        """The default options."""
        return EncodeOptions()

    @cached_property
    def estimate(self) -> Estimate:
        """Of one job, in functions that are warm."""
        return estimate(self.film, self.options, WORKERS, warm=True)

    @cached_property
    def batches(self) -> list[Batch]:
        """Of one job."""
        return cut_film(self.film.frames, self.options)

    @cached_property
    def workers(self) -> int:
        """Functions at the same time: the turns that `excamera.lifecycle.admission` gives."""
        if self.jobs == 1:
            return min(self.estimate.workers + 1, WORKERS.concurrency)
        return max(sum(turns) for turns in self._turns())

    @cached_property
    def started(self) -> int:
        """Jobs that have a turn at the same time, at most."""
        return max(len(turns) for turns in self._turns())

    def _turns(self) -> Iterator[list[int]]:
        """The turns when all jobs wait and none has been planned, for sources of several sizes."""
        most = WORKERS.job_workers + 1
        for power in range(10, 34):
            store = MemoryStore()
            for number in range(self.jobs):
                event = {"job": f"job-{number}", "size": 1 << power}
                admission.enqueue(admission.Waiting(event, float(number)), store)
            admission.admit(store, capacity=WORKERS.concurrency, most=most, start=lambda *_: True)
            yield [turn.workers for turn in admission.turns(store).values()]

    def call_seconds(self, step: str) -> float:
        """Seconds of the mean call of a step."""
        per = next(one.per for one in STEPS if one.name == step)
        count: int = getattr(self.estimate.shape.counts, per.name.lower())
        gb_seconds = self.estimate.usage.gb_seconds[step]
        return gb_seconds * 1024 / DEFAULT_MEMORY_MB[step] / max(1, count)

    @cached_property
    def rates(self) -> Rates:
        """What happens in a second."""
        shape, usage = self.estimate.shape, self.estimate.usage
        shares = self.workers / self.call_seconds("encode")
        transitions = shares * usage.transitions / shape.shares
        # Step Functions delays what is more, and the calls with it.
        shares *= min(1.0, TRANSITIONS / transitions)
        without: Usage = estimate(self.film, self.options, WORKERS, warm=True, source_reads=0).usage
        return Rates(
            shares * usage.invocations / shape.shares,
            transitions,
            shares * usage.writes / shape.shares,
            shares * max(without.reads, usage.reads - without.reads) / shape.shares,
        )


FILMS = tuple(Workload(film, 1) for film in _LONG)
"""A three-hour film in 4K, at each rate."""

HUNDRED = tuple(Workload(film, JOBS) for film in _MANY)
"""A hundred jobs at once, of each size."""
