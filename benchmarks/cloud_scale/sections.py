"""What is simulated: jobs of all sizes, kinds of fan-out, copies of slow calls."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from statistics import mean, quantiles
from typing import Any

from benchmarks.cloud_scale.jobs import (
    MINUTES,
    PUBLISHED_FRAMES,
    QUOTAS,
    RATE,
    RESOLUTIONS,
    Account,
    fan_out,
    film,
    kept,
    kept_of,
    run,
    runs,
)
from excamera.job.packing import INLINE_CALLS
from mu.simulation import CLOUD, Cloud, Fanout

SEEDS = 5
FANOUT_QUOTA = 10_000
FANOUT_NAMES = {222: (1,), 20_000: (1, 4)}
"""By the number of batches: under how many names functions are deployed. 222 batches do not reach
the ramp of one."""

EVEN = replace(CLOUD, stragglers=0.0)
"""Without stragglers, which would hide what fan-outs and pauses differ in."""

INLINE_QUOTA = 3_000
INLINE_FILMS = {
    "1 min of 1080p": ("1080p", 60 * RATE),
    "1 min of 4K": ("4K", 60 * RATE),
    "888 s of 4K": ("4K", PUBLISHED_FRAMES),
}
INLINE_UP_TO = (0, INLINE_CALLS, 1600)
ITERATIONS = (0, 8)
"""Of inline maps, that an execution begins in a second; 0 for no limit."""

LONGEST_PAUSES = (1, 3, 6, 20, 60)
PAUSED_BATCHES = 5_000

SHARES = (0.0, 0.01, 0.05)
HEDGED_SEEDS = 21
TAILS = {
    "as assumed": CLOUD,
    "twice as heavy": replace(CLOUD, stragglers=2 * CLOUD.stragglers, straggler_tail=1.5),
}


def sizes() -> list[dict[str, Any]]:
    """Jobs of each resolution, length and quota."""
    return [
        {"resolution": resolution, "minutes": minutes, "quota": quota,
         **size(resolution, minutes, quota)}
        for resolution in RESOLUTIONS
        for minutes in MINUTES
        for quota in QUOTAS
    ]  # fmt: skip


def size(resolution: str, minutes: int, quota: int) -> dict[str, Any]:
    """A job of one size."""
    return kept(runs(film(resolution, minutes * 60 * RATE), Account(quota), SEEDS))


def published() -> list[dict[str, Any]]:
    """The film of the published system, by quota."""
    return [
        {"quota": quota, **kept(runs(film("4K", PUBLISHED_FRAMES), Account(quota), SEEDS))}
        for quota in QUOTAS
    ]


def fanouts() -> list[dict[str, Any]]:
    """Kinds of fan-out, each with one name for its functions and with several."""
    found = []
    for batches, names in FANOUT_NAMES.items():
        for kind, count in itertools.product(Fanout, names):
            made = fan_out(batches, Account(FANOUT_QUOTA, count), kind, EVEN)
            found.append(
                {"fanout": kind.value, "names": count, "batches": batches, **kept_of(made)}
            )
    return found


def inline() -> list[dict[str, Any]]:
    """Short films and the published one: maps inline up to some number of calls, or never."""
    found = []
    for name, (resolution, frames) in INLINE_FILMS.items():
        for calls, iterations in itertools.product(INLINE_UP_TO, ITERATIONS):
            if not calls and iterations != ITERATIONS[0]:
                continue  # few iterations of an execution are inline, and their pace is none
            account = Account(INLINE_QUOTA, inline_calls=calls)
            cloud = replace(CLOUD, iterations=iterations or inf)
            made = runs(film(resolution, frames), account, SEEDS, cloud=cloud)
            ways = made[0].stages
            found.append(
                {
                    "film": name,
                    "inline_calls": calls,
                    "iterations": iterations,
                    "spans": len(ways.spans),
                    "ways": {
                        "spans": way_of(ways.work("index", {}).result["ways"]),
                        "batches": way_of(ways.work("plan", {}).result["ways"]),
                    },
                    **kept(made),
                }
            )
    return found


def way_of(ways: Mapping[str, Any]) -> str:
    """How a map runs, in a word."""
    return {"items": "inline", "groups": "in groups"}.get(next(iter(ways), ""), "distributed")


def pauses() -> list[dict[str, Any]]:
    """The longest pause after a refused call, where the ramp refuses many."""
    found = []
    for longest in LONGEST_PAUSES:
        # Attempts enough for any pause: what is compared is not when a job gives up.
        busy = replace(CLOUD.busy, max_delay_s=longest, attempts=10_000)
        made = sorted(
            (
                fan_out(
                    PAUSED_BATCHES, Account(FANOUT_QUOTA), Fanout.EXPRESS,
                    replace(EVEN, busy=busy), seed,
                )
                for seed in range(SEEDS)
            ),
            key=lambda one: one.seconds,
        )  # fmt: skip
        found.append({"longest_s": longest, **kept_of(made[SEEDS // 2])})
    return found


def copies() -> list[dict[str, Any]]:
    """Copies of the slowest batches: what they gain and cost."""
    return [
        {"tail": name, "share": share, **hedged(tail, share)}
        for name, tail in TAILS.items()
        for share in SHARES
    ]


def hedged(cloud: Cloud, share: float) -> dict[str, Any]:
    """The published film with copies of a share of its batches, over many seeds."""
    made = [
        run(film("4K", PUBLISHED_FRAMES), Account(3000), seed, cloud=cloud, hedge=share)
        for seed in range(HEDGED_SEEDS)
    ]
    seconds = sorted(one.seconds for one in made)
    return {
        "median_s": seconds[len(seconds) // 2],
        "p90_s": quantiles(seconds, n=10)[-1],
        "slowest_s": seconds[-1],
        "dollars": mean(one.dollars for one in made),
        "copies_share": mean(
            one.result.copies_gb_s / sum(one.result.gb_seconds.values()) for one in made
        ),
    }
