"""Simulated jobs: films, accounts, and what is kept of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from excamera.job.flow import excamera_flow
from excamera.job.options import EncodeOptions
from excamera.job.packing import MOST_CHILDREN, MOST_SHARES, SPREAD_CALLS, capacity_of
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.simulated import Simulated, functions_of, simulated
from excamera.price.stages import Stages, equal_batches
from excamera.price.workers import Workers
from mu.flow import Each, walk
from mu.simulation import CLOUD, Cloud, Fanout, Result, simulate

RATE = 24
RESOLUTIONS = {"1080p": (1920, 1080), "4K": (3840, 2160), "8K": (7680, 4320)}
MINUTES = (1, 15, 60, 180)
QUOTAS = (10, 100, 300, 1_000, 3_000, 10_000)

PUBLISHED_FRAMES = 21_312
"""Of the film of the published system: 888 s of 4K. It took 156.6 s on 3,552 workers, for $5.36."""

OPTIONS = EncodeOptions()
FANOUT_OPTIONS = EncodeOptions(chunk_frames=12, batch_chunks=8)
"""The film of the published system has 222 batches of them."""


@dataclass(frozen=True)
class Account:
    """An account with the stack.

    Attributes:
        quota: functions that it runs at once.
        names: of each of those for many workers.
        spread_calls: calls under way at once up to which one function begins a map.
    """

    quota: int
    names: int = 1
    spread_calls: int = SPREAD_CALLS

    @property
    def workers(self) -> Workers:
        """What the stack may use of it: all, without limits of its own."""
        return Workers(
            DEFAULT_MEMORY_MB,
            job_workers=MOST_CHILDREN,
            batch_workers=MOST_SHARES,
            concurrency=capacity_of(self.quota),
            spread_calls=self.spread_calls,
        )

    def cloud(self, cloud: Cloud = CLOUD) -> Cloud:
        """The cloud with its quota."""
        return replace(cloud, concurrency=self.quota)


def film(resolution: str, frames: int) -> Film:
    """A film of so many frames."""
    width, height = RESOLUTIONS[resolution]
    return Film(frames, width, height, frames / RATE)


def run(of: Film, account: Account, seed: int, **options: Any) -> Simulated:
    """Simulates a job with default options."""
    cloud = options.pop("cloud", CLOUD)
    return simulated(
        of, OPTIONS, account.workers, cloud=account.cloud(cloud), names=account.names, seed=seed,
        **options,
    )  # fmt: skip


def runs(of: Film, account: Account, seeds: int, **options: Any) -> list[Simulated]:
    """The same job with so many seeds, the fastest first."""
    found = [run(of, account, seed, **options) for seed in range(seeds)]
    return sorted(found, key=lambda one: one.seconds)


def fan_out(
    batches: int, account: Account, kind: Fanout, cloud: Cloud = CLOUD, seed: int = 0
) -> Result:
    """The map of batches alone, of a film of 4K in batches of `FANOUT_OPTIONS`."""
    of = film("4K", batches * FANOUT_OPTIONS.lengths.longest_batch)
    workers, cloud = account.workers, account.cloud(cloud)
    cut = equal_batches(of, FANOUT_OPTIONS)
    stages = Stages(of, FANOUT_OPTIONS, Pace(), workers.limits, cut)
    [node] = (
        one for one in walk(excamera_flow()) if isinstance(one, Each) and one.name == "batches"
    )
    # Whatever their number, the batches are begun in that way.
    node = replace(node, way=None)
    return simulate(
        node, {**stages.event, "ready": {"plan": stages.work("plan", {}).result}}, stages.work,
        functions_of(workers, cloud, names=account.names), stored=stages.stored, cloud=cloud,
        fanout=kind, seed=seed,
    )  # fmt: skip


def kept(found: Sequence[Simulated]) -> dict[str, Any]:
    """What is kept of simulations of a job: all of the median one, and how far others differ."""
    median = found[len(found) // 2]
    shape = median.stages.shape
    return {
        "batches": shape.batches,
        "chunks": shape.chunks,
        "shares": shape.shares,
        "spans": shape.spans,
        "fastest_s": found[0].seconds,
        "slowest_s": found[-1].seconds,
        **kept_of(median.result),
        "dollars": median.dollars,
        "invocations": median.usage.invocations,
    }


def kept_of(result: Result) -> dict[str, Any]:
    """What is kept of a simulation."""
    return {
        "seconds": result.seconds,
        "dollars": result.dollars(),
        "bottlenecks_s": result.bottlenecks,
        "tasks_s": result.critical_tasks,
        "invocations": result.invocations,
        "transitions": result.transitions,
        "children": result.children,
        "refused": dict(result.refused),
        "workers": result.peak,
        "events": result.most_events,
        "copies_gb_s": result.copies_gb_s,
        "problems": list(result.problems),
        "error": result.error,
    }
