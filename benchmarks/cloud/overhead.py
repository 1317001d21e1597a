"""What running in the cloud adds to a job: time by step, requests and transitions."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cloud.jobs import STEPS, Cloud, Record, Run, deployed, run_locally
from benchmarks.common.clips import sha256_of
from benchmarks.common.synthetic import Clip
from excamera.job.steps import SPREADING
from excamera.price.costs import Shape as Cut
from excamera.price.costs import foretold
from mu.fanout import DISTRIBUTED, SPREAD
from mu.machine import available_cpus

WIDTH, HEIGHT, RATE, CHUNK_FRAMES = 96, 64, 60, 6
PHASES = ("start", "plan", "fan out", "batches", "gather", "stitch", "end")

Items = Mapping[str, Sequence["Items"]]
"""How often the maps of an execution run, see `transitions`."""

PRICED_AS_PUT = (
    "PutObject", "ListObjectsV2", "CopyObject", "CreateMultipartUpload", "UploadPart",
    "UploadPartCopy", "ListParts", "CompleteMultipartUpload",
)  # fmt: skip
PRICED_AS_GET = ("GetObject", "HeadObject")


@dataclass(frozen=True)
class Shape:
    """The size of a job, and how many functions may run at once."""

    batches: int
    batch_chunks: int
    slots: int

    @property
    def chunks(self) -> int:
        """Number of chunks of the job."""
        return self.batches * self.batch_chunks

    @property
    def frames(self) -> int:
        """Number of frames of the job."""
        return self.chunks * CHUNK_FRAMES

    @property
    def texts(self) -> dict[str, str]:
        """The options, as in an upload's metadata."""
        return {"chunk-frames": str(CHUNK_FRAMES), "batch-chunks": str(self.batch_chunks)}


def shapes() -> tuple[list[Shape], Shape]:
    """Returns the timed jobs, and one whose batches are begun by child executions."""
    slots = available_cpus()
    return [Shape(batches, 2, slots) for batches in (1, 10, 100)], Shape(10, 2, slots)


def source_of(shape: Shape, cache: Path) -> Path:
    """Returns the job's source; generates it if the cache lacks it.

    It has at most 512 KiB, so that a single request reads all of it from S3.
    """
    path = cache / f"cloud-{shape.frames}.mp4"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"part-{path.name}")
        clip = Clip(shape.frames, WIDTH, HEIGHT, options={"crf": "30"}, rate=RATE, sound="aac")
        clip.write(partial).replace(path)
    assert path.stat().st_size <= 512 << 10
    return path


def phases(run: Run) -> dict[str, float]:
    """Returns the seconds of a job's phases, in order; they add up to its wall time."""
    [index], [plan], [stitch] = run.of("index"), run.of("plan"), run.of("stitch")
    fanned_out = min(record["started"] for record in run.of("encode"))
    gathered = max(record["finished"] for record in run.of("encode"))
    marks = [
        run.begun,
        index["started"],
        plan["finished"],
        fanned_out,
        gathered,
        stitch["started"],
        stitch["finished"],
        run.ended,
    ]
    return {
        name: after - before
        for name, before, after in zip(PHASES, marks[:-1], marks[1:], strict=True)
    }


def waits(run: Run) -> dict[str, list[float]]:
    """Returns, by step, the time between the end of all that a task depends on and its start."""
    [index], [plan] = run.of("index"), run.of("plan")
    indexed = max(record["finished"] for record in [index, *run.of("survey")])
    anchored: dict[int, float] = {
        record["event"]["batch"]: record["finished"] for record in run.of("anchors")
    }
    ready = float(max(record["finished"] for record in [plan, *run.of("audio")]))
    joined = max(record["finished"] for record in run.of("encode"))
    since: dict[str, Callable[[Record], float]] = {
        "index": lambda _: run.begun,
        "survey": lambda _: index["finished"],
        "plan": lambda _: indexed,
        "audio": lambda _: index["finished"],
        "anchors": lambda _: ready,
        "encode": lambda record: anchored.get(record["event"]["batch"], ready),
        "stitch": lambda _: joined,
    }
    return {
        step: [record["started"] - since[step](record) for record in run.of(step)] for step in STEPS
    }


def summary(run: Run, slots: int) -> dict[str, Any]:
    """Returns a run's times: its phases, its steps, and the time between a worker's tasks.

    Args:
        run: the job.
        slots: how many tasks could run at once.
    """
    waited = waits(run)
    steps = {}
    for step in STEPS:
        records = run.of(step)
        if not records:
            continue  # a short source has no spans
        runs = [record["finished"] - record["started"] for record in records]
        steps[step] = {
            "tasks": len(records),
            "run_median_s": statistics.median(runs),
            "run_total_s": sum(runs),
            "wait_median_s": statistics.median(waited[step]),
            "wait_total_s": sum(waited[step]),
            "workers": len({record["worker"] for record in records}),
        }
        queued = [r["started"] - r["queued"] for r in records if r["queued"] is not None]
        if queued:
            steps[step] |= {
                "queued_median_s": statistics.median(queued),
                "queued_total_s": sum(queued),
            }
    [plan] = run.of("plan")
    parallel = [record for step in ("anchors", "encode") for record in run.of(step)]
    begun = max(record["finished"] for record in [plan, *run.of("audio")])
    span = max(record["finished"] for record in parallel) - begun
    busy = sum(record["finished"] - record["started"] for record in parallel)
    return {
        "wall_s": run.ended - run.begun,
        "phases_s": phases(run),
        "steps": steps,
        "between_tasks_s": (slots * span - busy) / len(parallel),
    }


def transitions(states: dict[str, Any], start: str, items: Items) -> tuple[int, int]:
    """Counts the transitions of an execution without failures, from its definition.

    Args:
        states: the states of one scope.
        start: the first of them.
        items: for each map, by its name, one entry per iteration: the `items` of the maps within
            that iteration. Others have no iterations. Of several ways of a map, the one that is
            named is chosen.

    Returns:
        Transitions of the execution itself, and of its child executions.
    """
    own = children = 0
    name: str | None = start
    while name is not None:
        state = states[name]
        own += 1
        within = [(branch, items) for branch in state.get("Branches", [])]
        if state["Type"] == "Map":
            within = [(state["ItemProcessor"], inner) for inner in items.get(name, ())]
        if state["Type"] == "Choice":
            ways = state["Choices"]
            chosen = [one["Next"] for one in ways if f"{name} {one['StringEquals']}" in items]
            name = next(iter(chosen), state["Default"])
            continue
        distributed = (
            state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        )
        for scope, inner in within:
            inside, deeper = transitions(scope["States"], scope["StartAt"], inner)
            own, children = (
                (own, children + inside + deeper)
                if distributed
                else (own + inside, children + deeper)
            )
        name = state.get("Next")
    return own, children


def in_ways(items: Items, ways: Mapping[str, str]) -> Items:
    """The items of maps by the names that their states have.

    Args:
        items: as in `transitions`, but by the names of the flow.
        ways: what `mu.fanout.way_of` says of each map that one function may run.
    """
    found: dict[str, Sequence[Items]] = {}
    for name, own in items.items():
        way = ways.get(name)
        # Of what one function begins, no state is entered.
        found[name if way is None else f"{name} {way}"] = own if way in (None, DISTRIBUTED) else ()
    return found


def ways_of(records: Iterable[Record]) -> dict[str, str]:
    """What a job's timeline says of the ways of its maps."""
    by_step = {record["name"]: record["result"] for record in records}
    return {"spans": by_step["index"]["way"], "batches": by_step["plan"]["way"]}


def _counts(shape: Shape, run: Run, definition: dict[str, Any]) -> dict[str, Any]:
    """Returns a run's requests to AWS, and what `excamera.price.costs` foretells of such a job."""
    retried = sum(record["attempts"] - 1 for record in run.records)
    spread = [one["result"] for one in run.records if one["name"].endswith(SPREADING)]
    copies = sum(result["copies"] for result in spread)
    if retried > copies:
        raise RuntimeError(f"{retried} calls were made again, and only {copies} of them as copies")
    ways = ways_of([*run.of("index"), *run.of("plan")])
    encoded = {(one["event"]["batch"], one["event"]["share"]) for one in run.of("encode")}
    shares = Counter(batch for batch, _ in encoded)
    divided = [count for count in shares.values() if count > 1]
    anchored = {record["event"]["batch"] for record in run.of("anchors")}
    items: Items = {
        "spans": [{}] * len(run.of("survey")),
        "batches": [
            {"ahead": [{}] * (batch in anchored), "shares": [{}] * count}
            for batch, count in shares.items()
        ],
    }
    parent, children = transitions(
        definition["States"], definition["StartAt"], in_ways(items, ways)
    )
    if parent != run.parent_states:
        raise RuntimeError(f"{run.parent_states} states were entered, not {parent}")
    environments = len({record["worker"] for record in run.of("encode")})
    told = foretold(
        Cut(
            shape.frames,
            shape.chunks,
            shape.batches,
            shares=sum(shares.values()),
            divided=len(divided),
            divided_shares=sum(divided),
            spans=len(run.of("survey")),
            spread_spans=ways["spans"] == SPREAD,
            spread_batches=ways["batches"] == SPREAD,
        ),
        {},
        environments,
    )
    counted = {
        "writes": sum(run.requests[f"s3:{name}"] for name in PRICED_AS_PUT),
        "reads": sum(run.requests[f"s3:{name}"] for name in PRICED_AS_GET),
        "transitions": parent + children,
        "invocations": run.invocations,
    }
    return {
        "way": ways["batches"],
        "environments": environments,
        "copies": copies,
        "counted": counted,
        "foretold": {name: getattr(told, name) for name in counted},
    }


def _measure(shape: Shape, cloud: Cloud, cache: Path, repeats: int) -> dict[str, Any]:
    """Runs one job in both engines."""
    source = source_of(shape, cache)
    found: dict[str, list[Run]] = {"local": [], "cloud": []}
    loads = []
    for _ in range(repeats):
        loads.append(os.getloadavg()[0])
        found["local"].append(run_locally(source, shape.texts, shape.slots))
        found["cloud"].append(cloud.run(source, shape.texts))
    digests = {run.output_sha256 for runs in found.values() for run in runs}
    counts = [_counts(shape, run, cloud.definition) for run in found["cloud"]]
    result: dict[str, Any] = {
        "batches": shape.batches,
        "batch_chunks": shape.batch_chunks,
        "chunks": shape.chunks,
        "frames": shape.frames,
        "slots": shape.slots,
        "source_bytes": source.stat().st_size,
        "source_sha256": sha256_of(source),
        "output_sha256": sorted(digests),
        "same_bytes": len(digests) == 1,
        "load_before": loads,
        "counts": counts,
    }
    for engine, runs in found.items():
        # All figures are of one run, the median one, so that they add up.
        median = sorted(runs, key=lambda run: run.ended - run.begun)[len(runs) // 2]
        result[engine] = {
            "walls_s": [run.ended - run.begun for run in runs],
            **summary(median, shape.slots),
        }
        if median.cpu_s:
            result["cpu_s"] = median.cpu_s
    print(
        f"{shape.batches:4} batches of {shape.batch_chunks}, {shape.slots} at once: "
        f"{result['local']['wall_s']:.2f} s locally, {result['cloud']['wall_s']:.2f} s in the "
        f"emulator, same bytes: {result['same_bytes']}, {counts[0]}",
        flush=True,
    )
    return result


def measure(cache: Path, repeats: int) -> dict[str, Any]:
    """Measures all jobs; an extra run of the first one warms the environments.

    Args:
        cache: folder for the sources.
        repeats: runs of every timed job.
    """
    timed, further = shapes()
    result: dict[str, Any] = {
        "source": {"width": WIDTH, "height": HEIGHT, "rate": RATE, "chunk_frames": CHUNK_FRAMES},
        "slots": timed[0].slots,
        "repeats": repeats,
        "timed": [],
        "further": [],
    }
    with deployed(timed[0].slots) as cloud:
        first = cloud.run(source_of(timed[0], cache), timed[0].texts)
        result["cold"] = summary(first, timed[0].slots)
        for shape in timed:
            result["timed"].append(_measure(shape, cloud, cache, repeats))
    with deployed(further.slots, spread_calls=0) as cloud:
        cloud.run(source_of(further, cache), further.texts)
        result["further"].append(_measure(further, cloud, cache, 1))
    return result
