"""Jobs on the emulator, and the same jobs simulated with the times of their own calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cloud.jobs import Cloud as Stack
from benchmarks.cloud.jobs import Run, deployed
from benchmarks.cloud.overhead import HEIGHT, RATE, WIDTH, Shape, source_of
from excamera.job.flow import excamera_flow
from excamera.job.options import EncodeOptions
from excamera.job.packing import SPREAD_CALLS
from excamera.job.steps import CPU_MB, DEFAULT_MEMORY_MB, NUMBERS, SPREADING, STEP_NAMES
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.stages import Stages, equal_batches
from excamera.price.workers import Workers
from mu.fanout import DISTRIBUTED, SPREAD
from mu.simulation import CLOUD, Cloud, Function, Result, Work, simulate

BATCHES = (4, 16, 48)
BATCH_CHUNKS = 2
FITTED = 16
"""The job from which the rate of the emulator's state machine is taken; the others are foretold."""

WAYS = {DISTRIBUTED: 0, SPREAD: SPREAD_CALLS}
"""How batches are begun, and the setting `spread_calls` with which they are."""

BESIDES = 4
"""Functions that may run beside those that encode."""

_ENOUGH = 1000

Place = tuple[str, tuple[Any, ...]]
"""A step, and the numbers of what its call is for."""


def place(step: str, event: dict[str, Any]) -> Place:
    """Which call of a job this is."""
    return step, tuple(event.get(name) for name in NUMBERS)


def again(stages: Stages, seconds: Mapping[Place, float], cloud: Cloud, **further: Any) -> Result:
    """Simulates a job whose calls take as long as they took.

    Args:
        stages: of the job.
        seconds: of each call but those that begin others, which last as long as these.
        cloud: where it runs, with warm environments for all.
        further: arguments of `mu.simulation.simulate`.
    """

    def work(step: str, event: dict[str, Any]) -> Work:
        made = stages.work(step, event)
        if step == SPREADING:
            return replace(made, rounds=0)
        took = seconds[place(step, event)]
        return replace(made, cpu_s=took, shared=(), read_bytes=0, written_bytes=0, rounds=0)

    functions = {
        name: Function(max(CPU_MB, DEFAULT_MEMORY_MB[name]), warm=_ENOUGH)
        for name in (*STEP_NAMES, SPREADING)
    }
    return simulate(
        excamera_flow(), stages.event, work, functions, stored=stages.stored, cloud=cloud,
        early=stages.early, **further,
    )  # fmt: skip


def measure(cache: Path) -> dict[str, Any]:
    """Runs each job twice, the first time for its environments, and simulates the second."""
    # No call waits for a place: what waits in the emulator would be refused in the cloud.
    slots = max(BATCHES) + BESIDES
    shapes = {count: Shape(count, BATCH_CHUNKS, slots) for count in BATCHES}
    calm = replace(CLOUD.instant(), concurrency=_ENOUGH)
    made = {}
    for way, calls in WAYS.items():
        with deployed(slots, spread_calls=calls) as stack:
            made[way] = {count: _second(stack, shape, cache) for count, shape in shapes.items()}
    rate = _fitted(shapes[FITTED], made[DISTRIBUTED][FITTED], calm)
    emulated = replace(calm, transitions=rate, transitions_burst=1.0)
    return {
        "slots": slots,
        "transitions_a_second": rate,
        "fitted": FITTED,
        "jobs": [
            _row(way, shapes[count], run, emulated)
            for way, runs in made.items()
            for count, run in runs.items()
        ],
    }


def _row(way: str, shape: Shape, run: Run, cloud: Cloud) -> dict[str, Any]:
    found = _simulated(way, shape, run, cloud)
    return {
        "way": way,
        "batches": shape.batches,
        "measured_s": run.ended - run.begun,
        "simulated_s": found.seconds,
        "calls": len(run.records),
        "simulated_calls": len(found.calls),
        "states": run.parent_states,
        "transitions": found.transitions,
    }


def _fitted(shape: Shape, run: Run, calm: Cloud) -> float:
    """The transitions a second with which the simulated job takes as long as the real one."""
    took = run.ended - run.begun
    slow, fast = 1.0, 10_000.0
    for _ in range(60):
        rate = (slow * fast) ** 0.5
        cloud = replace(calm, transitions=rate, transitions_burst=1.0)
        found = _simulated(DISTRIBUTED, shape, run, cloud)
        slow, fast = (rate, fast) if found.seconds > took else (slow, rate)
    return fast


def _second(stack: Stack, shape: Shape, cache: Path) -> Run:
    source = source_of(shape, cache)
    stack.run(source, shape.texts)
    return stack.run(source, shape.texts)


def _simulated(way: str, shape: Shape, run: Run, cloud: Cloud) -> Result:
    options = EncodeOptions().with_texts(shape.texts)
    film = Film(shape.frames, WIDTH, HEIGHT, shape.frames / RATE)
    limits = Workers(DEFAULT_MEMORY_MB, concurrency=shape.slots, spread_calls=WAYS[way]).limits
    stages = Stages(
        film, options, Pace(), limits, equal_batches(film, options), source_reads=0, warms=False
    )
    seconds = {
        place(record["name"], record["event"]): record["finished"] - record["started"]
        for record in run.records
    }
    before_s = max(0.0, run.of("index")[0]["started"] - run.begun)
    return again(stages, seconds, cloud, before_s=before_s)
