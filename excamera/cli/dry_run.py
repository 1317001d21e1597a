"""`--dry-run` of `encode` and `submit`: what would be done, and about how long it would take."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from excamera.cli.cloud import Cloud, print_fields, print_json
from excamera.cli.estimate import CONSTANTS, look_at, pace_of
from excamera.cli.help import RUNNING, option
from excamera.errors import OptionError
from excamera.job.batches import Batch
from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.local import Foreseen, plan_file
from excamera.media.words import counted, sized, visible
from excamera.price.edits import edited
from excamera.price.film import Film
from excamera.price.machine import machine_seconds
from excamera.price.pace import Pace
from excamera.price.planner import planned
from excamera.price.predicted import predict_plan
from excamera.price.size import result_bytes
from excamera.price.stages import batches_of
from mu import Observer
from mu.machine import available_cpus

_FEW = 4
_SOUND = {0: "no sound", 1: "with sound"}
"""How many different N are listed one by one."""

dry_run_option = option(
    "--dry-run", section=RUNNING, is_flag=True, help="Encode nothing: look at INPUT, plan, and say "
    "how it would be cut, and about how long it would take. Nothing is left."
)  # fmt: skip


def refuse(**given: object) -> None:
    """Refuse options that ask for something to be left, by their names.

    Raises:
        OptionError: one is given.
    """
    for name, value in given.items():
        if value:
            raise OptionError(
                f"--dry-run leaves nothing: leave out it or --{name.replace('_', '-')}"
            )


def on_this_machine(
    source: str,
    options: EncodeOptions,
    container: str,
    workers: int | None,
    observer: Observer,
) -> tuple[Foreseen, dict[str, Any]]:
    """Plan an encode on this machine, and estimate it by the constants of another one."""
    found = plan_file(source, options, container, workers=workers, observer=observer)
    cpus = min(workers or available_cpus(), available_cpus())
    film = Film.of(found.plan, found.plan.frame_count)
    batches = batches_of(found.plan)
    return found, {
        "seconds": round(
            machine_seconds(film, options, batches, found.summary.spans, cpus), 1
        ),
        "bytes": result_bytes(film, options, Pace()),
        "cpus": cpus,
        "by": CONSTANTS,
    }  # fmt: skip


def on_a_stack(
    cloud: Cloud,
    source: str,
    options: EncodeOptions,
    container: str,
    goal: Goal | None,
    observer: Observer,
) -> tuple[Foreseen, dict[str, Any]]:
    """Plan a job on this machine, and predict it as a stack does.

    Raises:
        BudgetTooSmall: its cheapest way costs more than its goal.
        TimeTooShort: its fastest way takes longer, and that is not wanted.
    """
    workers, pace, by = pace_of(cloud)
    if goal is not None:
        goal.check(options)
        film = edited(look_at(source, options.audio), options)
        ways = planned(film, options, workers, pace, goal)
        ways.check()
        if ways.chosen is not None:
            choice = ways.chosen.choice
            options, workers = choice.options(options), choice.workers(workers)
    found = plan_file(source, options, container, observer=observer)
    told = predict_plan(found.plan, workers.limits, workers, pace, warm=False)
    return found, {"seconds": told.seconds, "bytes": told.bytes, "usd": told.usd, "by": by}


def show(found: Foreseen, estimate: dict[str, Any], *, as_json: bool, notes: bool) -> None:
    """Print a plan and its estimate.

    Args:
        found: the plan.
        estimate: what `on_this_machine` or `on_a_stack` returned.
        as_json: whether a program reads it.
        notes: whether to repeat the plan's notes for people.
    """
    if as_json:
        print_json(described(found, estimate))
        return
    plan = found.plan
    film = Film.of(plan, plan.frame_count)
    sizes = [one.size for one in plan.rungs] or [(film.width, film.height)]
    shown = ", ".join(f"{width}x{height}" for width, height in sizes)
    seconds, where = f"about {estimate['seconds']:,.1f} s", "in the cloud, from its start"
    if "cpus" in estimate:
        where = f"on {counted(estimate['cpus'], 'CPU')}"
    usd = estimate.get("usd")
    print_fields(
        [
            ("result", f"{plan.options.codec} in {plan.container}, {shown}, "
             f"{counted(film.frames, 'frame')}, {film.duration_s:,.3f} s, "
             f"{_SOUND.get(film.sound, f'{film.sound} sound tracks')}"),
            ("scenes", "not looked for" if found.scenes is None else found.scenes),
            ("cut", f"{counted(len(plan.batches), 'batch', 'batches')}, "
             f"{counted(found.summary.chunks, 'chunk')}"),
            ("N", _lengths(plan)),
            ("estimate", f"by {estimate['by']}:"),
            ("time", f"{seconds} {where}"),
            ("size", f"about {sized(estimate['bytes'])}"),
            ("cost", None if usd is None else f"about ${usd:.4f}"),
        ]
    )  # fmt: skip
    for note in plan.notes if notes else ():
        click.echo(visible(f"note: {note}"))


def described(found: Foreseen, estimate: dict[str, Any]) -> dict[str, Any]:
    """A plan and its estimate for programs."""
    plan = found.plan
    return {
        "source": plan.source.name,
        "indexed_by": plan.source.indexed_by,
        "notes": list(plan.notes),
        "container": plan.container,
        "width": plan.geometry.width,
        "height": plan.geometry.height,
        "rungs": [
            {"name": one.name, "width": one.size[0], "height": one.size[1]} for one in plan.rungs
        ],
        "frames": plan.frame_count,
        "duration_s": found.summary.duration_s,
        "sound": found.summary.sound,
        "options": plan.options.to_json(),
        "plan": plan.digest,
        "scenes": found.scenes,
        "chunks": found.summary.chunks,
        "batches": [
            {"mode": one.mode, "first_frame": one.chunks[0].first_frame,
             "chunk_frames": [len(chunk.pts) for chunk in one.chunks], "crf": _crf(plan, one)}
            for one in plan.batches
        ],
        "estimate": estimate,
    }  # fmt: skip


def _crf(plan: Plan, batch: Batch) -> float | None:
    """The quality of a batch; with a target it is not known before."""
    return None if plan.options.target is not None else plan.crf_of(batch)


def _lengths(plan: Plan) -> str:
    """How many batches have which N."""
    found = Counter(map(_longest, plan.batches))
    if len(found) > _FEW:
        return f"{min(found)} to {max(found)} frames a chunk"
    return ", ".join(
        f"{length} in {counted(count, 'batch', 'batches')}"
        for length, count in sorted(found.items())
    )


def _longest(batch: Batch) -> int:
    return max(len(chunk.pts) for chunk in batch.chunks)
