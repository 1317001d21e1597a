"""Overhead a call: tiny calls, and calls with large arguments or results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import mu
from benchmarks.common.timing import Spent, interleaved, ratio, spread
from benchmarks.workers import functions
from benchmarks.workers.lithops_peer import Lithops

OURS, POOL, LITHOPS = "mu", "ProcessPoolExecutor", "Lithops"

LITHOPS_CALLS = 4
"""Each takes a large part of a second there."""

KB, MB = 1 << 10, 10 << 20


@dataclass(frozen=True)
class Kind:
    """A way to make calls.

    Attributes:
        count: number of calls in a round.
        work: makes them and waits for all results.
        lithops: what Lithops is asked instead, if it can be.
    """

    count: int
    work: Callable[[Executor], object]
    lithops: str | None = None


def _submit(function: Callable[[Any], Any], items: Sequence[Any], executor: Executor) -> None:
    for future in [executor.submit(function, item) for item in items]:
        future.result()


def _one_by_one(items: Sequence[int], executor: Executor) -> None:
    for item in items:
        executor.submit(functions.tiny, item).result()


def _map(items: Sequence[int], chunksize: int, executor: Executor) -> None:
    for _ in executor.map(functions.tiny, items, chunksize=chunksize):
        pass


def kinds(quick: bool) -> Mapping[str, Kind]:
    """Returns all ways by their names."""
    many, some, few = (40, 20, 2) if quick else (1000, 300, 6)
    tiny = range(many)
    large, small = bytes(MB), bytes(KB)
    submit = partial(partial, _submit)
    return {
        "submit": Kind(many, submit(functions.tiny, tiny), "submit"),
        "submit, each after the other": Kind(some, partial(_one_by_one, range(some))),
        "map, chunksize 1": Kind(many, partial(_map, tiny, 1), "map"),
        "map, chunksize 32": Kind(16 * many, partial(_map, range(16 * many), 32)),
        "argument of 1 KiB": Kind(some, submit(functions.length, [small] * some)),
        "result of 1 KiB": Kind(some, submit(functions.made, [KB] * some)),
        "argument of 10 MiB": Kind(few, submit(functions.length, [large] * few)),
        "result of 10 MiB": Kind(few, submit(functions.made, [MB] * few)),
    }


def _turn(name: str, work: Callable[[], object]) -> Mapping[str, Spent]:
    spent = Spent()
    with spent.more():
        work()
    return {name: spent}


def measure(workers: int, rounds: int, quick: bool, lithops: Lithops | None) -> dict[str, Any]:
    """Returns, by kind of call, microseconds a call on the clock, and ours against each peer's."""
    with ProcessPoolExecutor(workers) as pool:
        # All its workers fork before ours is there, of which they would inherit sockets.
        list(pool.map(functions.tiny, range(100 * workers)))
        return _beside(pool, workers, rounds, quick, lithops)


def _beside(
    pool: Executor, workers: int, rounds: int, quick: bool, lithops: Lithops | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with mu.Executor(workers=workers) as ours:
        for name, kind in kinds(quick).items():
            for executor in (ours, pool):
                kind.work(executor)
            turns = interleaved(
                rounds,
                [
                    partial(_turn, OURS, partial(kind.work, ours)),
                    partial(_turn, POOL, partial(kind.work, pool)),
                ],
            )
            found[name] = _row(kind.count, turns)
            print(f"{name}: {found[name]['against'][POOL]}", flush=True)
            if kind.lithops is not None and lithops is not None:
                seconds = [lithops.ask(kind.lithops, LITHOPS_CALLS) for _ in range(2)]
                each = [1e6 * one / LITHOPS_CALLS for one in seconds if one is not None]
                if each:
                    row = {"calls": LITHOPS_CALLS, "wall_us": spread(each)}
                    found[name]["contenders"][LITHOPS] = row
                    us = found[name]["contenders"][OURS]["wall_us"]["median"]
                    found[name]["against"][LITHOPS] = spread([us / one for one in each])
    return found


def _row(count: int, turns: Mapping[str, Sequence[Spent]]) -> dict[str, Any]:
    walls = {name: [spent.wall_s for spent in spents] for name, spents in turns.items()}
    return {
        "contenders": {
            name: {"calls": count, "wall_us": spread([1e6 * one / count for one in each])}
            for name, each in walls.items()
        },
        "against": {
            POOL: {
                # How many times as long as theirs ours takes; the least time of each is what a
                # machine with nothing else to do would show.
                **ratio(walls[POOL], walls[OURS]),
                "of_least": round(min(walls[OURS]) / min(walls[POOL]), 3),
            }
        },
    }
