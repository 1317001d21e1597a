"""Simulated jobs against real ones on the emulator, with the times of the real one's calls."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cloud.overhead import (
    PRICED_AS_GET,
    PRICED_AS_PUT,
    Items,
    in_ways,
    transitions,
    ways_of,
)
from benchmarks.cloud_scale.measured import Place, again, place
from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.runs import history, quiet
from excamera.job.objects import Keys
from excamera.job.packing import SPREAD_CALLS
from excamera.job.plan import Plan
from excamera.job.steps import DEFAULT_MEMORY_MB, SPREADING, STEP_NAMES
from excamera.price.costs import READS_OF_ENVIRONMENT, besides
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.stages import Stages, batches_of
from excamera.price.workers import Workers
from mu.fanout import UNWANTED_S
from mu.simulation import CLOUD, Result
from tests.aws.spans import FRAMES, LARGE, in_spans, padded
from tests.aws.test_costs import definition_of, reports, run, texts
from tests.aws.ways import spread_up_to
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow, pytest.mark.usefixtures("unscheduled")]


def simulated(
    planned: Plan,
    seconds: dict[Place, float],
    span_pixels: int,
    spread_calls: int,
    *,
    warms: bool,
) -> Result:
    """Simulates a job of a plan whose calls take so long, in a cloud that adds no time."""
    film = Film(
        planned.frame_count,
        planned.geometry.width,
        planned.geometry.height,
        float(planned.end * planned.time_base),
    )
    limits = Workers(DEFAULT_MEMORY_MB, spread_calls=spread_calls).limits
    stages = Stages(
        film, planned.options, Pace(), limits, batches_of(planned), span_pixels=span_pixels,
        source_reads=0, warms=warms,
    )  # fmt: skip

    cloud = replace(CLOUD.instant(), concurrency=99)
    return again(stages, seconds, cloud)


def check(
    emulator: Emulator, stack: Deployed, film: Path, key: str, options: dict[str, str],
    span_pixels: int, spread_calls: int = SPREAD_CALLS,
) -> None:  # fmt: skip
    """Runs a job, simulates it with its own times, and compares the two."""
    run(emulator, stack, film, f"{key}/warm.mp4", options)  # warm environments open no source
    asked, called = quiet(emulator), reports(emulator, stack)
    job = run(emulator, stack, film, f"{key}/counted.mp4", options)
    counted, reported = quiet(emulator) - asked, reports(emulator, stack)
    planned = Plan.from_json(json.dumps(stack.read_work(Keys(job.name).plan)).encode())
    records = [record for step in STEP_NAMES for record in stack.timeline(job, step)]
    seconds = {
        place(record["name"], record["event"]): record["finished"] - record["started"]
        for record in records
    }
    warms = film.stat().st_size > LARGE
    found = simulated(planned, seconds, span_pixels, spread_calls, warms=warms)

    # The same calls, each of which takes as long.
    calls = [call for call in found.calls if call.task != SPREADING]
    assert Counter(place(call.task, call.event) for call in calls) == Counter([*seconds])
    spent: defaultdict[str, float] = defaultdict(float)
    for (step, _), took in seconds.items():
        spent[step] += took * max(1769, DEFAULT_MEMORY_MB[step]) / 1024
    assert {step: found.gb_seconds[step] for step in spent} == pytest.approx(spent)
    assert set(found.gb_seconds) - set(spent) <= {SPREADING}

    # What is billed, and the history that must not grow too long.
    around = besides(DEFAULT_MEMORY_MB)
    invoked = sum(reported[step][0] - called[step][0] for step in reported)
    assert found.invocations + around.invocations == invoked
    items: Items = {
        "spans": [{}] * sum(step == "survey" for step, _ in seconds),
        "batches": [
            {name: [{}] * len(item[name]) for name in ("ahead", "shares")}
            for item in stack.read_work(Keys(job.name).items)
        ],
    }
    items = in_ways(items, ways_of([*stack.timeline(job, "index"), *stack.timeline(job, "plan")]))
    definition = definition_of(stack)
    assert found.transitions == sum(transitions(definition["States"], definition["StartAt"], items))
    assert found.events == len(events := history(emulator, job.arn)), [e["type"] for e in events]
    if not any(call.task == "anchors" for call in found.calls):
        # Of several shares two may end at the same time, and both join their batch.
        looked = sum(one["result"]["looked"] - 1 for one in stack.timeline(job, SPREADING))
        check_requests(found, records, counted, len(planned.batches), looked)

    # The same order: within the job, and within each batch.
    as_run = [(r["name"], r["event"], r["started"], r["finished"]) for r in records]
    as_simulated = [(call.task, call.event, call.began, call.ended) for call in calls]
    assert orders(as_simulated) == orders(as_run)


def check_requests(
    found: Result,
    records: list[dict[str, Any]],
    counted: Mapping[str, int],
    batches: int,
    looked: int,
) -> None:
    """Compares the requests to S3.

    Batches that end at the same moment may all be put together by each of their workers, which then
    reads what is noted of each.
    """
    around = besides(DEFAULT_MEMORY_MB)
    writes = sum(counted[f"s3:{name}"] for name in PRICED_AS_PUT)
    reads = sum(counted[f"s3:{name}"] for name in PRICED_AS_GET)
    assert 0 <= writes - found.writes - around.writes <= 3 * (batches - 1), counted
    # Each environment of encode opens the source; chance says how many there are.
    simulated_in = {call.worker for call in found.calls if call.task == "encode"}
    ran_in = {record["worker"] for record in records if record["name"] == "encode"}
    opened = READS_OF_ENVIRONMENT * (len(ran_in) - len(simulated_in))
    # Whoever begins the calls looks for a cancellation more often if it takes longer.
    spread_s = [call.ended - call.began for call in found.calls if call.task == SPREADING]
    looked -= sum(int(seconds / UNWANTED_S) for seconds in spread_s)
    more = reads - found.reads - around.reads - opened - looked
    assert 0 <= more <= (batches - 1) * (batches + 1), counted


def orders(
    calls: Iterable[tuple[str, dict[str, Any], float, float]],
) -> set[tuple[int | None, str, str]]:
    """Which steps end before others begin, by batch; all batches together are one of the job's."""
    spans: defaultdict[tuple[int | None, str], list[tuple[float, float]]] = defaultdict(list)
    for step, event, began, ended in calls:
        batch = event.get("batch")
        if batch is not None:
            spans[batch, step].append((began, ended))
        spans[None, step if batch is None else "batches"].append((began, ended))
    found = set()
    for (of, one), first in spans.items():
        for (other_of, other), second in spans.items():
            by_chance = {one, other} in ({"audio", "survey"}, {"audio", "plan"})
            ended = max(end for _, end in first)
            if of == other_of and not by_chance and ended <= min(begin for begin, _ in second):
                found.add((of, one, other))
    return found


def test_a_simulated_job_is_the_one_that_ran(
    emulator: Emulator, stack: Deployed, tmp_path: Path
) -> None:
    """If this fails, simulated jobs make other calls, in another order, than real ones."""
    film = Clip(frames=29, width=48, height=32, sound="aac").write(tmp_path / "film.mp4")
    check(emulator, stack, film, "simulated/short", texts("anchors"), 10**9)


def test_a_simulated_job_in_shares_is_the_one_that_ran(
    emulator: Emulator, stack: Deployed, tmp_path: Path
) -> None:
    """If this fails, simulated batches are not divided among workers as real ones are."""
    film = Clip(frames=50, width=48, height=32, sound="aac").write(tmp_path / "film.mp4")
    options = {**texts("anchors"), "batch-chunks": "6"}
    check(emulator, stack, film, "simulated/shares", options, 10**9)


def test_a_simulated_job_in_spans_is_the_one_that_ran(
    emulator: Emulator, stack: Deployed, tmp_path: Path
) -> None:
    """If this fails, simulated jobs do not survey long films as real ones do."""
    film = Clip(frames=FRAMES, width=48, height=32, sound="aac").write(tmp_path / "film.mp4")
    padded(film)
    with in_spans(stack):
        check(emulator, stack, film, "simulated/spans", {}, 1)


@pytest.mark.parametrize(
    ("calls", "texts_of"),
    [
        (0, {**texts("anchors"), "batch-chunks": "6"}),
        # Of 20 and more, a busy machine would have the slowest called twice by chance.
        (1000, {"mode": "rebase", "batch-chunks": "1", "chunk-frames": "4"}),
    ],
)
def test_a_simulated_job_is_begun_as_the_one_that_ran(
    emulator: Emulator, stack: Deployed, tmp_path: Path, calls: int, texts_of: dict[str, str]
) -> None:
    """If this fails, simulated maps of many or in children are not billed as real ones are."""
    frames = 19 * 4 if calls else 50
    film = Clip(frames=frames, width=48, height=32, sound="aac").write(tmp_path / "film.mp4")
    with spread_up_to(stack, calls):
        check(emulator, stack, film, f"simulated/{calls}", texts_of, 10**9, calls)
