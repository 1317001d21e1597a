"""How many workers do the work of a job, and how it is packed into their calls.

A **share** is what one call encodes: some chunks of a batch, or all of it. A worker that has a
whole batch reads its pictures once, codes its anchors, encodes the chunks in threads beside that,
and joins them: nothing passes through the store but the result. More shares end sooner, if the
account has workers for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from excamera.job.steps import ENCODING, name_of_size
from mu.fanout import MOST_AT_ONCE

MOST_CHILDREN = 10_000
"""Step Functions runs no more child executions of a map at the same time."""

MOST_SHARES = 40
"""Step Functions runs no more calls of an inline map at the same time."""

SPREAD_CALLS = MOST_AT_ONCE
"""By default one function begins all spans or all batches whose calls it can have under way."""

FRONT = 3
"""Functions that jobs leave to what serves them: the API, uploads, ends of jobs."""

SHARE_PIXELS = 2_000_000_000
"""The most that a share should have, frames times pixels: minutes of one CPU. A call of Lambda may
take a quarter of an hour."""


def capacity_of(concurrency: int, workers_at_once: int = 0) -> int:
    """How many functions all jobs together may run at the same time.

    Args:
        concurrency: functions that the account runs at the same time.
        workers_at_once: the stack's own limit; 0 for none.
    """
    free = max(1, concurrency - FRONT)
    return min(free, workers_at_once) if workers_at_once else free


def share_of(chunks: int, share: int, of: int) -> range:
    """Which chunks of a batch one of its shares has.

    Args:
        chunks: of the batch.
        share: its number, from 0.
        of: how many shares the batch has; no more than it has chunks.
    """
    first, end = (chunks * number // of for number in (share, share + 1))
    return range(first, end)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a source was cut, as far as packing depends on it.

    Attributes:
        batches: number of batches.
        most_chunks: chunks of the batch that has most.
        most_pixels: frames times pixels of the largest batch.
    """

    batches: int
    most_chunks: int
    most_pixels: int


@dataclass(frozen=True, slots=True)
class Packing:
    """How the batches of a job are encoded.

    Attributes:
        shares: of a batch; a batch of fewer chunks has one for each.
        batches_at_once: the most batches that are under way at the same time.
        shares_at_once: the most shares of one batch.
        threads: of a worker; 0 for one on each of its CPUs.
        size: number of the size of the function that encodes; 0 for the usual one.
    """

    shares: int
    batches_at_once: int
    shares_at_once: int
    threads: int = 0
    size: int = 0

    def shares_of(self, chunks: int) -> int:
        """How many shares a batch of so many chunks has."""
        return min(self.shares, chunks)

    @property
    def samples_at_once(self) -> int:
        """The most samples that are encoded at the same time, for a job with a target."""
        return min(MOST_SHARES, self.batches_at_once * self.shares_at_once)

    def item(self, batch: int, chunks: int, *, anchored: bool) -> dict[str, Any]:
        """A batch in the list that the flow maps over; see `excamera.job.objects.Job.save`."""
        of = self.shares_of(chunks)
        ahead = [batch] if of > 1 and anchored else []
        return {"batch": batch, "ahead": ahead, "shares": list(range(of)), "of": of}


@dataclass(frozen=True, slots=True)
class Limits:
    """What may work on a job at the same time.

    Attributes:
        job_workers: functions that may encode it.
        batch_workers: functions that may encode one of its batches.
        cpus: of a function that encodes.
        concurrency: functions that all jobs together may run, if known.
        granted: those of them that this job may run; None for all.
        processes: of this machine that work on the job; 0 in the cloud.
        memory_mb: MB of the function that encodes; 0 for the usual one.
        sizes: MB of the functions that could; the usual one is the first.
        spread_calls: calls under way at once up to which one function begins all spans or all
            batches, in the cloud; see `mu.fanout`.
    """

    job_workers: int = MOST_CHILDREN
    batch_workers: int = MOST_SHARES
    cpus: int = 1
    concurrency: int | None = None
    granted: int | None = None
    processes: int = 0
    memory_mb: int = 0
    sizes: Sequence[int] = ()
    spread_calls: int = SPREAD_CALLS

    @property
    def workers(self) -> int:
        """The most functions that run at the same time."""
        free = self._free
        return self.job_workers if free is None else max(1, min(self.job_workers, free))

    @property
    def _free(self) -> int | None:
        return self.concurrency if self.granted is None else self.granted

    @property
    def size(self) -> int:
        """The number of the size of the function that encodes; 0 for the usual one."""
        return self.sizes.index(self.memory_mb) if self.memory_mb in self.sizes else 0

    def memory(self, usual: Mapping[str, int]) -> dict[str, int]:
        """MB of each function that the job calls, from those of their usual sizes."""
        return {**usual, **({ENCODING: self.memory_mb} if self.size else {})}

    def called(self, step: str) -> str:
        """The name of the function that the job calls for a step."""
        sized = step == ENCODING and self.size
        return name_of_size(step, self.memory_mb) if sized else step

    def useful(self, cut: Cut) -> int:
        """The most functions that a job could use, with one for the sound."""
        return 1 + min(self.job_workers, cut.batches * self._most_shares(cut))

    def pack(self, cut: Cut) -> Packing:
        """How to encode a job; the sound takes one function."""
        least = min(cut.most_chunks, ceil(cut.most_pixels / SHARE_PIXELS))
        if self.processes:
            # Processes take the next batch when they have done one. The last ones help each other.
            threads = min(self.processes, ceil(2 * self.processes / cut.batches))
            return Packing(1, MOST_CHILDREN, MOST_SHARES, threads)
        room = self.job_workers
        if self._free is not None:
            room = max(1, min(room, self._free - 1))
        shares = max(1, least, min(self._most_shares(cut), room // cut.batches))
        at_once = min(shares, room, MOST_SHARES)
        batches_at_once = min(MOST_CHILDREN, max(1, room // at_once))
        return Packing(shares, batches_at_once, at_once, size=self.size)

    def _most_shares(self, cut: Cut) -> int:
        """Shares of a batch which still have a chunk for each CPU."""
        return max(1, min(self.batch_workers, cut.most_chunks // self.cpus))
