"""What a task does, and the function that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

CPU_MB = 1769
"""Memory with which a function has one CPU. [Lambda developer guide, "Configure Lambda function
memory": "At 1,769 MB, a function has the equivalent of one vCPU"]"""

MOST_CPUS = 6.0
"""Of a function with 10,240 MB. [AWS News, 2020-12-01, "AWS Lambda now supports up to 10 GB of
memory and 6 vCPU cores"]"""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a stack.

    Attributes:
        memory_mb: its memory, which also gives its CPUs.
        init_s: seconds of the initialisation of a new environment, which are billed.
        warm: environments that it still has of earlier calls.
        names: names under which it is deployed: each has a ramp of its own. Calls are dealt among
            them evenly.
    """

    memory_mb: int
    init_s: float = 0.3
    warm: int = 0
    names: int = 1

    @property
    def cpus(self) -> float:
        """Its CPUs."""
        return min(MOST_CPUS, self.memory_mb / CPU_MB)


@dataclass(frozen=True, slots=True)
class Shared:
    """Work that threads share.

    Attributes:
        cpu_s: seconds of one CPU.
        pieces: into how many equal pieces it divides; None if into any number.
        gain: what a second and each further CPU adds, 0..1.
    """

    cpu_s: float
    pieces: int | None = None
    gain: float = 1.0

    def seconds(self, cpus: float) -> float:
        """Seconds that the CPUs take for it."""
        if self.pieces is None:
            return self.cpu_s / self._speed(cpus)
        threads = min(self.pieces, ceil(cpus))
        piece = self.cpu_s / self.pieces
        rounds, rest = divmod(self.pieces, threads)
        # A round has a piece for each thread; the last may leave threads without.
        each = piece * threads / self._speed(min(cpus, threads))
        last = piece * rest / self._speed(min(cpus, rest)) if rest else 0.0
        return rounds * each + last

    def _speed(self, cpus: float) -> float:
        return cpus if cpus <= 1 else 1 + self.gain * (cpus - 1)


@dataclass(frozen=True, slots=True)
class Ahead:
    """Environments that a call has made for later calls, by asynchronous calls without work.

    Attributes:
        environments: how many, by the task that will need them.
        left_s: seconds of its own that the call still takes when it asks for them.
    """

    environments: Mapping[str, int]
    left_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """What one call has to do.

    Attributes:
        cpu_s: seconds of one CPU that cannot be shared among several.
        shared: what threads share, part after part.
        read_bytes: from the store.
        written_bytes: to the store.
        reads: requests that are priced as GET.
        writes: requests that are priced as PUT.
        rounds: how many requests it waits for one after another; others run beside these.
        reads_at_first: further reads, each of them a round, in an environment that the job has not
            used before.
        ahead: environments that it has made for later calls.
        result: what the call returns.
    """

    cpu_s: float = 0.0
    shared: tuple[Shared, ...] = ()
    read_bytes: float = 0.0
    written_bytes: float = 0.0
    reads: int = 0
    writes: int = 0
    rounds: int = 0
    reads_at_first: int = 0
    ahead: Ahead | None = None
    result: Any = None

    def compute_s(self, cpus: float) -> float:
        """Seconds that the CPUs take for it."""
        seconds = self.cpu_s / min(1.0, cpus)
        for part in self.shared:
            seconds += part.seconds(cpus)
        return seconds
