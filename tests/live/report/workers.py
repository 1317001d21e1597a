"""Probes on the workers of executors: how fast they start, and what S3 gives one of them."""

from __future__ import annotations

import math
from collections import defaultdict

import mu
from mu.engines.stack.deployment import most_at_once
from mu.prices import GB_SECOND_USD, READ_USD, TRANSITION_USD, WRITE_USD
from tests.live.report.on_workers import changed, moved, where
from tests.live.report.subject import Live, Scale, Section, quantiles, spread

_HOLD_S = 3.0
_SHARE = 2  # of the account's functions, so that jobs can go on
_RATE_S = 10


def _usd(seconds: float, memory_mb: int = 1769) -> float:
    return seconds * memory_mb / 1024 * max(GB_SECOND_USD.values())


def start_rates_usd(scale: Scale) -> float:
    """What `start_rates` costs at most."""
    return scale.environments * (_usd(_HOLD_S + 3) + 4 * TRANSITION_USD + 2 * WRITE_USD)


def start_rates(live: Live) -> Section:
    """Start many environments at the same time, each for three seconds."""
    count = max(1, min(live.scale.environments, most_at_once() // _SHARE))
    with live.executor(workers=count) as ex:
        asked = live.now()
        answers = list(ex.map(where, [_HOLD_S] * count))
    began = defaultdict(list)
    first: dict[tuple[str, str], float] = {}
    for function, environment, at in answers:
        name = (function, environment)
        first[name] = min(at, first.get(name, math.inf))
    for (function, _), at in first.items():
        began[function].append(at - asked)
    section = Section(
        [f"{count} calls at once ran in {len(first)} environments; account: {most_at_once()}."],
        ("function", "environments", "first, median, last after", "most in 10 s"),
    )
    for function, times in sorted(began.items()):
        fastest = max(sum(at <= one < at + _RATE_S for one in times) for at in times)
        section.rows.append((function or "?", len(times), spread(times), fastest))
        section.facts[function] = {"environments": len(times), "in_ten_seconds": fastest,
                                   "after_s": quantiles(times)}  # fmt: skip
    return section


def throughput_usd(scale: Scale) -> float:
    """What `throughput` costs at most."""
    shapes = len(scale.sizes) * len(scale.parallel) * scale.memories
    requests = sum(scale.parallel) * len(scale.sizes) * scale.memories
    return shapes * _usd(20, 3008) + requests * (WRITE_USD + READ_USD) + 20 * TRANSITION_USD


def throughput(live: Live) -> Section:
    """Write and read objects from one worker, some at the same time."""
    section = Section(
        head=("memory", "object", "at once", "write MB/s", "read MB/s", "write each", "read each")
    )
    for memory in live.memories:
        with live.executor(workers=1, memory=memory) as ex:
            for size in live.scale.sizes:
                for parallel in live.scale.parallel:
                    if size * parallel > memory << 18:  # a quarter of the memory
                        continue
                    put_s, get_s = ex.submit(moved, live.data(ex), size, parallel).result()
                    megabytes = size * parallel / 1e6
                    section.rows.append(
                        (f"{memory:,} MB", f"{size >> 10:,} KiB", parallel,
                         f"{megabytes / put_s:.1f}", f"{megabytes / get_s:.1f}",
                         f"{put_s:.3f} s", f"{get_s:.3f} s")
                    )  # fmt: skip
                    section.facts[f"{memory}/{size}/{parallel}"] = {"put_s": put_s, "get_s": get_s}
    section.lines.append("The last two columns are the time until all of them were done.")
    return section


def conflicts_usd(scale: Scale) -> float:
    """What `conflicts` costs at most."""
    changes = scale.writers * scale.changes
    return _usd(60) * scale.writers + changes * 10 * (WRITE_USD + 2 * READ_USD)


def conflicts(live: Live) -> Section:
    """Change one object from many workers, each only if nobody else has changed it."""
    writers = max(1, min(live.scale.writers, most_at_once() // _SHARE))
    with live.executor(workers=writers) as ex:
        url = live.data(ex)
        done = list(ex.map(changed, [url] * writers, [live.scale.changes] * writers))
        # What calls have stored goes with the executor.
        number = int(mu.open_store(url).get("changed"))
    writes, refused = sum(one[0] for one in done), sum(one[1] for one in done)
    if number != writers * live.scale.changes:
        raise AssertionError(f"of {writers * live.scale.changes} changes, {number} are there")
    return Section(
        [
            f"{writers} workers made {number} changes, and none was lost. Of {writes} writes S3 "
            f"refused {refused} ({100 * refused / writes:.0f}%). A change took "
            f"{max(one[2] for one in done) / live.scale.changes:.3f} s with all its attempts."
        ],
        facts={"writers": writers, "writes": writes, "refused": refused},
    )
