"""What is simulated: jobs of all sizes, kinds of fan-out, copies of slow calls."""

from __future__ import annotations

import itertools
from dataclasses import replace
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
from excamera.job.packing import SPREAD_CALLS
from mu.simulation import CLOUD, Cloud, Fanout

SEEDS = 5
FANOUT_QUOTA = 10_000
FANOUT_NAMES = {222: (1,), 20_000: (1, 4)}
"""By the number of batches: under how many names functions are deployed. 222 batches do not reach
the ramp of one."""

EVEN = replace(CLOUD, stragglers=0.0)
"""Without stragglers, which would hide what fan-outs and pauses differ in."""

SPREAD_QUOTA = 1_000
SPREAD_FILMS = {
    "1 min of 1080p": ("1080p", 60 * RATE),
    "1 min of 4K": ("4K", 60 * RATE),
    "888 s of 4K": ("4K", PUBLISHED_FRAMES),
}
SPREAD_UP_TO = (0, SPREAD_CALLS)

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


def spread() -> list[dict[str, Any]]:
    """Short films and the published one: maps begun by one function, or as children."""
    found = []
    for name, (resolution, frames) in SPREAD_FILMS.items():
        for calls in SPREAD_UP_TO:
            account = Account(SPREAD_QUOTA, spread_calls=calls)
            made = runs(film(resolution, frames), account, SEEDS)
            stages = made[0].stages
            found.append(
                {
                    "film": name,
                    "spread_calls": calls,
                    "spans": len(stages.spans),
                    "ways": {
                        "spans": stages.work("index", {}).result["way"],
                        "batches": stages.work("plan", {}).result["way"],
                    },
                    **kept(made),
                }
            )
    return found


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
