"""Lambda in simulated time: environments, and calls that are refused."""

from __future__ import annotations

import math
from _random import Random
from collections.abc import Mapping

from mu.simulation.calls import (
    CALL_RATE,
    COLD,
    COMPUTE,
    CONCURRENCY,
    RAMP,
    S3,
    S3_RATE,
    STRAGGLER,
    Call,
)
from mu.simulation.cloud import Cloud
from mu.simulation.rates import Rate
from mu.simulation.work import Function, Work

_MASK = (1 << 64) - 1


class Chance:
    """Draws that depend on the seed, the task, the call and the attempt, and on nothing else.

    So two simulations that differ in one thing draw the same where they do the same.
    """

    def __init__(self, seed: int) -> None:
        """Draws of a seed."""
        self._seed = seed * 0x9E3779B97F4A7C15
        self._tasks: dict[str, int] = {}
        self._random = Random()

    def of(self, task: str, key: int, attempt: int) -> Random:
        """A generator, until the next is asked for."""
        self._random.seed(self._place(task, key, attempt))
        return self._random

    def fraction(self, task: str, key: int, number: int) -> float:
        """A single draw within 0..1, which costs less than a generator."""
        # The end of SplitMix64 (Steele et al., OOPSLA 2014): every bit depends on every other.
        mixed = self._place(task, key, ~number)
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)

    def _place(self, task: str, key: int, number: int) -> int:
        salt = self._tasks.get(task)
        if salt is None:
            salt = int.from_bytes(task.encode(), "little") * 0xBF58476D1CE4E5B9
            self._tasks[task] = salt
        return (self._seed + salt + key * 0x94D049BB133111EB + number * 0xD6E8FEB86659FD93) & _MASK


def gauss(random: Random) -> float:
    """A standard normal draw, always of two uniform ones."""
    radius = math.sqrt(-2.0 * math.log(1.0 - random.random()))
    return radius * math.cos(2.0 * math.pi * random.random())


class Pool:
    """The environments of one function."""

    __slots__ = ("cold_starts", "cpus", "function", "idle", "made", "ramp", "used")

    def __init__(self, function: Function, cloud: Cloud) -> None:
        """Begins with those of earlier calls."""
        self.function = function
        self.cpus = function.cpus
        self.made = function.warm
        self.idle = list(range(function.warm))
        self.used: set[int] = set()
        self.cold_starts = 0
        # Names of the same code: as many ramps, among which calls are dealt evenly.
        self.ramp = Rate(cloud.ramp * function.names, cloud.ramp_burst * function.names)


class Lambda:
    """All functions of an account, and S3 as they see it."""

    def __init__(self, cloud: Cloud, functions: Mapping[str, Function], chance: Chance) -> None:
        """Begins with nothing running."""
        self._cloud = cloud
        self._chance = chance
        self._draws = cloud.has_chance
        self.pools = {name: Pool(function, cloud) for name, function in functions.items()}
        self._calls = Rate(
            cloud.concurrency * cloud.calls_of_concurrency,
            cloud.concurrency * cloud.calls_of_concurrency,
        )
        self._reads = Rate(cloud.read_rate, cloud.read_rate)
        self._writes = Rate(cloud.write_rate, cloud.write_rate)
        self.running = self.peak = 0
        self.reads = self.writes = 0

    def begin(self, now: float, call: Call, pool: Pool, work: Work) -> tuple[float, str]:
        """Begin an attempt of a call, or refuse it.

        Returns:
            Seconds that it takes, and ""; or 0 and why it is refused.
        """
        cloud = self._cloud
        if self.running >= cloud.concurrency:
            return 0.0, CONCURRENCY
        if not self._calls.take_now(now):
            return 0.0, CALL_RATE
        if not pool.idle and not pool.ramp.take_now(now):
            return 0.0, RAMP
        self.running += 1
        if self.running > self.peak:
            self.peak = self.running
        cold = not pool.idle
        if cold:
            call.worker = pool.made
            pool.made += 1
            pool.cold_starts += 1
        else:
            call.worker = pool.idle.pop()
        call.attempts += 1
        call.began = now
        more = 0
        if work.reads_at_first and call.worker not in pool.used:
            pool.used.add(call.worker)
            more = work.reads_at_first
        took = self._took(now, call, pool, work, cold=cold, more=more)
        self.reads += work.reads + more
        self.writes += work.writes
        return took, ""

    def _took(
        self, now: float, call: Call, pool: Pool, work: Work, *, cold: bool, more: int
    ) -> float:
        cloud = self._cloud
        slow = requests = create = 1.0
        straggles = 0.0
        fails_at = 2.0
        rounds = work.rounds + more
        if self._draws:
            random = self._chance.of(call.task, call.key, call.attempts)
            unlucky, tail, fails, fails_at_share = (random.random() for _ in range(4))
            slow = math.exp(cloud.speed_spread * gauss(random))
            # The sum of several requests varies less than each.
            requests = math.exp(cloud.request_spread * gauss(random) / math.sqrt(max(1, rounds)))
            if cold:
                create = math.exp(cloud.create_spread * gauss(random))
            if unlucky < cloud.stragglers:
                factor = cloud.straggler_least * (1.0 - tail) ** (-1.0 / cloud.straggler_tail)
                straggles = min(cloud.straggler_most, factor) - 1.0
            if fails < cloud.failures:
                fails_at = fails_at_share
        compute = work.compute_s(pool.cpus) * slow
        s3 = rounds * cloud.request_s * requests
        s3 += (work.read_bytes + work.written_bytes) / cloud.bandwidth
        reads = work.reads + more
        late = self._reads.take(now, reads) - now if reads else 0.0
        call.spent = spent = [(COMPUTE, compute), (S3, s3)]
        took = compute + s3
        if straggles:
            spent.append((STRAGGLER, straggles * took))
            took += straggles * took
        if late > 0:
            spent.append((S3_RATE, late))
            took += late
        billed = took
        if cold:
            init = pool.function.init_s * slow
            created = cloud.create_s * create
            spent.append((COLD, created + init))
            billed += init
            took += created + init
        if fails_at <= 1.0:
            # It dies on its way: the rest is not spent, and nothing says on what it was.
            took *= fails_at
            billed = min(billed, took)
            call.spent = []
        call.billed_s += billed
        return took

    def written(self, now: float, work: Work) -> float:
        """The moment at which a call that ends has written all; S3 may delay it."""
        return self._writes.take(now, work.writes) if work.writes else now

    def end(self, call: Call, pool: Pool) -> None:
        """A call has ended; its environment is free if it succeeded, and gone if it died."""
        self.running -= 1
        if call.spent:
            pool.idle.append(call.worker)
