"""Times contenders in turn, and summarises the times.

Single-threaded work is compared by CPU time: on a shared machine, wall time includes the work of
others. Both are recorded.
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Spent:
    """Seconds that some work took; more work may be added.

    Attributes:
        cpu_s: user and system time of this process, or of the one it started.
        wall_s: time on the clock.
    """

    cpu_s: float = 0.0
    wall_s: float = 0.0

    @contextlib.contextmanager
    def more(self) -> Iterator[None]:
        """Adds the time that the body takes."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.perf_counter() - wall


Run = Callable[[], Mapping[str, Spent]]
"""One turn: returns the time of each contender's work, by contender."""


def interleaved(rounds: int, runs: Iterable[Run]) -> dict[str, list[Spent]]:
    """Gives every run its turn in every round: A B C, A B C, ...

    Returns:
        By contender, the time it took in each round.
    """
    runs = list(runs)
    found: dict[str, list[Spent]] = {}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for run in runs:
                for name, spent in run().items():
                    found.setdefault(name, []).append(spent)
    finally:
        gc.enable()
    return found


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def spread(values: Sequence[float]) -> dict[str, float]:
    """Returns the least, median and greatest value."""
    return {
        "min": _short(min(values)),
        "median": _short(statistics.median(values)),
        "max": _short(max(values)),
    }


def summary(rounds: Sequence[Spent], frames: int) -> dict[str, Any]:
    """Returns a contender's spreads in milliseconds per frame, and frames per CPU second.

    Args:
        rounds: the contender's time in each.
        frames: number of frames in one round.
    """
    return {
        "rounds": len(rounds),
        "cpu_ms": spread([1000 * spent.cpu_s / frames for spent in rounds]),
        "wall_ms": spread([1000 * spent.wall_s / frames for spent in rounds]),
        "fps": _short(frames / statistics.median(spent.cpu_s for spent in rounds)),
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Returns how many times as fast ours is: the ratio of medians, and single rounds' extremes."""
    by_round = [their / our for our, their in zip(ours, theirs, strict=True)]
    return {
        "min": _short(min(by_round)),
        "median": _short(statistics.median(theirs) / statistics.median(ours)),
        "max": _short(max(by_round)),
    }


def cpu_ratio(ours: Sequence[Spent], theirs: Sequence[Spent]) -> dict[str, float]:
    """Returns the `ratio` of CPU times."""
    return ratio([spent.cpu_s for spent in ours], [spent.cpu_s for spent in theirs])
