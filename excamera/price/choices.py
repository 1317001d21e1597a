"""Ways to do a job: what may be chosen, and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self, TypeVar

from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.steps import cpus_of
from excamera.price.workers import Workers

Item = TypeVar("Item")

LEAST_SAVING = 0.005
"""A way that takes longer must save such a part of the price, else it is not worth a line."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a job may be done.

    Attributes:
        chunk_frames: N; 0 if it is chosen for each batch.
        batch_chunks: x.
        memory_mb: of the function that encodes.
        batch_workers: functions that may encode one batch.
        job_workers: functions that may encode the job.
    """

    chunk_frames: int
    batch_chunks: int
    memory_mb: int
    batch_workers: int
    job_workers: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The choice of a point that `Point.to_json` returned."""
        return cls(**{one.name: data[one.name] for one in fields(cls)})

    def options(self, base: EncodeOptions) -> EncodeOptions:
        """The options of the job; the others are those of `base`."""
        return replace(base, chunk_frames=self.chunk_frames, batch_chunks=self.batch_chunks)

    def limits(self, given: Limits, usual_mb: int) -> Limits:
        """The limits of the job, within those that it has.

        Args:
            given: what it has.
            usual_mb: memory of the function that encodes if nothing is chosen, in MB.
        """
        return replace(
            given,
            job_workers=min(given.job_workers, self.job_workers),
            batch_workers=min(given.batch_workers, self.batch_workers),
            cpus=max(1, int(cpus_of(self.memory_mb))),
            memory_mb=0 if self.memory_mb == usual_mb else self.memory_mb,
        )

    def workers(self, given: Workers) -> Workers:
        """The workers of the job, of those that the stack has."""
        return replace(
            given.of_size(self.memory_mb),
            batch_workers=min(given.batch_workers, self.batch_workers),
            job_workers=min(given.job_workers, self.job_workers),
        )


@dataclass(frozen=True, slots=True)
class Point:
    """A choice, and what is expected of it.

    Attributes:
        choice: what is chosen.
        seconds: from the end of the upload to the result; the median of the simulations.
        late_s: the slowest of the simulations.
        usd: the dearest of the simulations, in dollars.
        size: bytes of the result.
        more_bits: as a fraction of those with the default structure.
        batches: of the job.
        shares: of its batches, each an encode call.
        workers: the most that run at the same time.
        spent: seconds of the critical path of the median simulation by what they were spent on,
            the most first.
    """

    choice: Choice
    seconds: float
    late_s: float
    usd: float
    size: int
    more_bits: float
    batches: int
    shares: int
    workers: int
    spent: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The point as a JSON object."""
        return {
            **asdict(self.choice),
            "seconds": round(self.seconds, 1),
            "late_s": round(self.late_s, 1),
            "usd": round(self.usd, 6),
            "size": self.size,
            "more_bits": self.more_bits,
            "batches": self.batches,
            "shares": self.shares,
            "workers": self.workers,
            "spent": {name: round(seconds, 1) for name, seconds in self.spent.items()},
        }


def front_of(
    found: Iterable[Item], of: Callable[[Item], tuple[float, float]], *, least_gain: float = 0.0
) -> list[Item]:
    """Those that no other beats, the fastest first, without those that gain hardly anything.

    Args:
        found: any.
        of: the time and the price of one.
        least_gain: the part of the time that whatever costs more must gain.
    """
    front: list[Item] = []
    for one in sorted(found, key=of):
        if not front or of(one)[1] < (1 - LEAST_SAVING) * of(front[-1])[1]:
            front.append(one)
    kept: list[Item] = []
    for one in reversed(front):
        if not kept or of(one)[0] <= (1 - least_gain) * of(kept[-1])[0]:
            kept.append(one)
    return kept[::-1]
