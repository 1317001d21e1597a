"""Jobs on the emulator, and the same jobs simulated with the times of their own calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cloud.jobs import Cloud as Stack
from benchmarks.cloud.jobs import Run, deployed
from benchmarks.cloud.overhead import HEIGHT, RATE, WIDTH, Shape, source_of
from excamera.job.flow import excamera_flow
from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB, NUMBERS, STEP_NAMES
from excamera.price.estimate import Film, Pace, Workers
from excamera.price.stages import Stages, equal_batches
from mu.machine import available_cpus
from mu.simulation import CLOUD, Cloud, Function, Result, Work, simulate

BATCHES = (4, 16, 48)
BATCH_CHUNKS = 2
FITTED = 16
"""The job from which the rate of the emulator's state machine is taken; the others are foretold."""

_ENOUGH = 1000


def measure(cache: Path) -> dict[str, Any]:
    """Runs each job twice, the first time for its environments, and simulates the second."""
    slots = available_cpus()
    shapes = {count: Shape(count, BATCH_CHUNKS, slots) for count in BATCHES}
    with deployed(slots) as stack:
        made = {count: _second(stack, shape, cache) for count, shape in shapes.items()}
    calm = replace(CLOUD.instant(), concurrency=_ENOUGH)
    rate = _fitted(shapes[FITTED], made[FITTED], calm)
    emulated = replace(calm, transitions=rate, transitions_burst=1.0)
    found = {count: simulated(shapes[count], run, emulated) for count, run in made.items()}
    return {
        "slots": slots,
        "transitions_a_second": rate,
        "fitted": FITTED,
        "jobs": [
            {
                "batches": count,
                "measured_s": run.ended - run.begun,
                "simulated_s": found[count].seconds,
                "calls": len(run.records),
                "simulated_calls": len(found[count].calls),
                "states": run.parent_states,
                "transitions": found[count].transitions,
            }
            for count, run in made.items()
        ],
    }


def _fitted(shape: Shape, run: Run, calm: Cloud) -> float:
    """The transitions a second with which the simulated job takes as long as the real one."""
    took = run.ended - run.begun
    slow, fast = 1.0, 10_000.0
    for _ in range(60):
        rate = (slow * fast) ** 0.5
        found = simulated(shape, run, replace(calm, transitions=rate, transitions_burst=1.0))
        slow, fast = (rate, fast) if found.seconds > took else (slow, rate)
    return fast


def _second(stack: Stack, shape: Shape, cache: Path) -> Run:
    source = source_of(shape, cache)
    stack.run(source, shape.texts)
    return stack.run(source, shape.texts)


def simulated(shape: Shape, run: Run, cloud: Cloud) -> Result:
    """The same job, whose calls take as long as they took."""
    options = EncodeOptions().with_texts(shape.texts)
    film = Film(shape.frames, WIDTH, HEIGHT, shape.frames / RATE)
    batches = equal_batches(film, options)
    limits = Workers(DEFAULT_MEMORY_MB).limits
    stages = Stages(film, options, Pace(), limits, batches, source_reads=0)
    seconds = {
        _place(record["name"], record["event"]): record["finished"] - record["started"]
        for record in run.records
    }

    def work(step: str, event: dict[str, Any]) -> Work:
        took = seconds[_place(step, event)]
        return Work(cpu_s=took, result=stages.work(step, event).result)

    functions = {
        step: Function(max(1769, DEFAULT_MEMORY_MB[step]), warm=_ENOUGH) for step in STEP_NAMES
    }
    return simulate(
        excamera_flow(), stages.event, work, functions, stored=stages.stored, cloud=cloud,
        before_s=max(0.0, run.of("index")[0]["started"] - run.begun),
    )  # fmt: skip


def _place(step: str, event: dict[str, Any]) -> tuple[Any, ...]:
    return step, *(event.get(name) for name in NUMBERS)
