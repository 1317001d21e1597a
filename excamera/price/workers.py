"""The workers that a stack and an account allow a job, and what it asks of them ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from excamera.job.environments import for_batches
from excamera.job.options import EncodeOptions
from excamera.job.packing import SPREAD_CALLS, Limits, capacity_of
from excamera.job.steps import ENCODE_SIZES_MB, cpus_of
from excamera.price.film import Film


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers that the stack and the account allow a job.

    Attributes:
        memory_mb: memory of each function, by its name.
        architecture: "arm64" or "x86_64".
        job_workers: functions that may encode it at the same time.
        batch_workers: functions that may encode one of its batches.
        concurrency: Lambda calls that the account leaves to jobs at the same time.
        spread_calls: calls under way at once up to which one function begins all spans or batches.
        encode_sizes: memory of further functions that encode, in MB.
        warms: whether a job has environments made before it needs them.
    """

    memory_mb: Mapping[str, int]
    architecture: str = "arm64"
    job_workers: int = 3000
    batch_workers: int = 16
    concurrency: int = capacity_of(1000)
    spread_calls: int = SPREAD_CALLS
    encode_sizes: tuple[int, ...] = ENCODE_SIZES_MB
    warms: bool = True

    @property
    def limits(self) -> Limits:
        """The limits of a job."""
        return limits_of(
            self.memory_mb,
            self.job_workers,
            self.batch_workers,
            concurrency=self.concurrency,
            spread_calls=self.spread_calls,
        )

    def cpus(self, step: str) -> float:
        """CPUs of a function."""
        return cpus_of(self.memory_mb[step])

    def of_size(self, memory_mb: int) -> Workers:
        """These workers, if the function that encodes has that memory, in MB."""
        return replace(self, memory_mb={**self.memory_mb, "encode": memory_mb})


def limits_of(
    memory_mb: Mapping[str, int],
    job_workers: int,
    batch_workers: int,
    *,
    concurrency: int | None,
    granted: int | None = None,
    spread_calls: int = SPREAD_CALLS,
) -> Limits:
    """The limits of a job whose functions have that memory; see `Limits` for the others."""
    cpus = max(1, int(cpus_of(memory_mb["encode"])))
    return Limits(job_workers, batch_workers, cpus, concurrency, granted, spread_calls=spread_calls)


def environments_ahead(
    film: Film, options: EncodeOptions, limits: Limits, spans: int
) -> dict[str, int]:
    """The environments that a job asks for as soon as its film is known, by step.

    Args:
        film: what it encodes.
        options: its options.
        limits: of the job.
        spans: how many spans are surveyed meanwhile.
    """
    shape = film.cut(options, limits)
    return for_batches(
        shares=shape.shares,
        ahead=shape.counts.ahead,
        spans=spans,
        pixels=film.frames * film.pixels,
        workers=limits.workers,
    )
