"""A job in simulated time: the real flow and the real cut, with the stage times of `Pace`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from excamera.job.flow import excamera_flow
from excamera.job.options import EncodeOptions
from excamera.job.steps import SPREADING, STEPS
from excamera.price.costs import STARTED_S, Usage, besides
from excamera.price.estimate import COLD_START_S
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.size import aimed
from excamera.price.stages import ROUNDS, Lengths, Stages, equal_batches
from excamera.price.workers import Workers
from mu.copies import SHARE
from mu.prices import GB_SECOND_USD
from mu.simulation import CLOUD, Cloud, Fanout, Function, Result, simulate

LIGHT_INIT_S = 0.5
"""Seconds to initialise a function that has neither PyAV nor the codec. Assumption."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated job.

    Attributes:
        stages: what its calls did.
        result: of its flow.
        usage: what it uses of AWS, with all that is besides the flow. Express executions are not
            part of it.
        dollars: cost at list prices.
    """

    stages: Stages
    result: Result
    usage: Usage
    dollars: float

    @property
    def seconds(self) -> float:
        """From the end of the upload to the result."""
        return self.result.seconds


def simulated(
    film: Film,
    options: EncodeOptions,
    workers: Workers,
    pace: Pace | None = None,
    *,
    batches: Sequence[Lengths] | None = None,
    cloud: Cloud = CLOUD,
    fanout: Fanout = Fanout.STANDARD,
    hedge: float = 0.0,
    copies: float = SHARE,
    names: int = 1,
    warm: bool = False,
    seed: int = 0,
    source_reads: int = 5,
) -> Simulated:
    """Simulate a job, from the end of its upload to its result.

    Args:
        film: what is to be encoded.
        options: N, x, quality and effort.
        workers: the stack's workers.
        pace: the pace of one CPU; by default the constants of `Pace`.
        batches: the frames of each chunk of each batch; by default all batches are equal.
        cloud: what services allow and add. S3's latency is that of `pace`.
        fanout: how the batches are begun.
        hedge: share of the batches whose slowest are copied; see `mu.simulation.simulate`.
        copies: share of calls whose slowest are copied; see there.
        names: under how many names the functions of batches and spans are deployed.
        warm: whether functions have environments left from another job.
        seed: of all that is left to chance.
        source_reads: see `Stages`.
    """
    pace = pace or Pace()
    options = aimed(film, options, pace)
    cut = equal_batches(film, options) if batches is None else batches
    stages = Stages(
        film, options, pace, workers.limits, cut, source_reads=source_reads, warms=workers.warms
    )
    cloud = replace(cloud, request_s=pace.call_s / ROUNDS)
    result = simulate(
        excamera_flow(),
        stages.event,
        stages.work,
        functions_of(workers, cloud, names=names, warm=warm),
        stored=stages.stored,
        cloud=cloud,
        fanout=fanout,
        hedge=hedge,
        copies=copies,
        seed=seed,
        before_s=before_s(cloud),
        early=stages.early,
    )
    return _counted(stages, result, workers)


def before_s(cloud: Cloud) -> float:
    """Seconds from the end of the upload to the start of the execution, if nobody else waits."""
    return cloud.event_s + STARTED_S


def functions_of(
    workers: Workers, cloud: Cloud, *, names: int = 1, warm: bool = False
) -> dict[str, Function]:
    """The functions of the flow; the arguments are those of `simulated`."""
    init_s = max(0.0, COLD_START_S - cloud.create_s)
    spreading = Function(
        workers.memory_mb[SPREADING], init_s=min(init_s, LIGHT_INIT_S), warm=int(warm)
    )
    return {SPREADING: spreading} | {
        step.name: Function(
            workers.memory_mb[step.name],
            init_s=init_s if step.media else min(init_s, LIGHT_INIT_S),
            warm=workers.limits.workers if warm else 0,
            names=names,
        )
        for step in STEPS
    }


def _counted(stages: Stages, result: Result, workers: Workers) -> Simulated:
    around = besides(workers.memory_mb, stages.shape.ladder)
    usage = Usage(
        {**around.gb_seconds, **result.gb_seconds},
        invocations=around.invocations + result.invocations,
        transitions=result.transitions,
        writes=around.writes + result.writes,
        reads=around.reads + result.reads,
    )
    bill = result.bill(workers.architecture)
    dispatching = result.dispatched_gb_s * GB_SECOND_USD[workers.architecture]
    dollars = usage.dollars(workers.architecture) + bill["express"] + dispatching
    return Simulated(stages, result, usage, dollars)
