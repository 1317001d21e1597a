"""ExCamera's flow: index, then the sound beside surveys and plan, then all batches, then stitch.

For a job with a target, samples of the film are encoded before the batches (`excamera.job.aiming`).

A short source has no spans to survey. Few spans or batches are begun by one function, many in child
executions (see `mu.fanout`). A batch is encoded in shares (see `excamera.job.packing`). If it
has several, a worker codes its anchors before; whoever ends last joins the batch.
"""

from __future__ import annotations

import functools

from excamera.job.packing import Limits, Packing
from excamera.job.steps import STEPS
from mu import DISCARD, Each, Node, Parallel, Retry, Sequence, Task
from mu.fanout import way_of

FUNCTIONS = {step.name: step.task for step in STEPS}
"""Registry of the task functions for flows on one machine."""

_RETRY = (
    Retry(("SourceUnavailable", "StoreUnavailable"), attempts=4, interval_s=1, max_delay_s=20),
)


def excamera_flow(timeout_s: int | None = None) -> Node:
    """The whole job; its event is that of `excamera.steps.index.index`.

    Args:
        timeout_s: for one attempt of a task, in seconds.
    """
    task = functools.partial(_task, timeout_s)
    batch = Sequence(
        "batch",
        (
            Each(
                "ahead",
                items="$.ahead",
                item={"job": "$.job", "batch": "$item"},
                body=task("anchors", job="$.job", batch="$.batch"),
                output=DISCARD,
            ),
            Each(
                "shares",
                items="$.shares",
                item={
                    "job": "$.job",
                    "batch": "$.batch",
                    "share": "$item",
                    "of": "$.of",
                    "threads": "$.threads",
                    "size": "$.size",
                },
                body=task(
                    "encode",
                    output=DISCARD,
                    size="$.size",
                    job="$.job",
                    batch="$.batch",
                    share="$.share",
                    of="$.of",
                    threads="$.threads",
                ),
                output=DISCARD,
                concurrency="$.shares_at_once",
            ),
        ),
    )
    batches = Each(
        "batches",
        items="$.ready.plan.items",
        items_in_store=True,
        item={
            "job": "$.job",
            "batch": "$item.batch",
            "ahead": "$item.ahead",
            "shares": "$item.shares",
            "of": "$item.of",
            "threads": "$.ready.plan.threads",
            "size": "$.ready.plan.size",
            "shares_at_once": "$.ready.plan.shares_at_once",
        },
        body=batch,
        distributed=True,
        way="$.ready.plan.way",
        concurrency="$.ready.plan.batches_at_once",
        results="$.ready.plan.results",
        output=DISCARD,
    )
    index, surveys, plan = _planning(timeout_s)
    # Workers put the sound before their batches, so it must be there first.
    ready = Parallel(
        "ready",
        {"audio": task("audio", job="$.job"), "plan": Sequence("cut", (surveys, plan))},
        output="ready",
    )
    # One after another: each round knows what those before have found.
    rounds = Each(
        "rounds",
        items="$.ready.plan.rounds",
        item={
            "job": "$.job",
            "round": "$item.round",
            "samples": "$item.samples",
            "at_once": "$item.at_once",
            "threads": "$.ready.plan.threads",
        },
        body=Each(
            "samples",
            items="$.samples",
            item={
                "job": "$.job",
                "round": "$.round",
                "sample": "$item",
                "threads": "$.threads",
            },
            body=task(
                "probe",
                output=DISCARD,
                job="$.job",
                round="$.round",
                sample="$.sample",
                threads="$.threads",
            ),
            output=DISCARD,
            concurrency="$.at_once",
        ),
        output=DISCARD,
        concurrency=1,
    )
    stitch = task("stitch", job="$.job")
    return Sequence("excamera", (index, ready, rounds, batches, stitch))


def planning_flow() -> Node:
    """The job up to its plan, with the same event; its result is a `PlanSummary`."""
    return Sequence("planning", _planning(None))


def _planning(timeout_s: int | None) -> tuple[Node, Node, Node]:
    """Index, surveys and plan."""
    index = Task("index", "index", output="indexed", retry=_RETRY, timeout_s=timeout_s)
    surveys = Each(
        "spans",
        items="$.indexed.spans",
        item={"job": "$.job", "span": "$item", "threads": "$.indexed.span_threads"},
        body=_task(timeout_s, "survey", job="$.job", span="$.span", threads="$.threads"),
        output=DISCARD,
        distributed=True,
        way="$.indexed.way",
        concurrency="$.indexed.spans_at_once",
    )
    return index, surveys, _task(timeout_s, "plan", job="$.job", limits="$.indexed.limits")


def _task(
    timeout_s: int | None,
    name: str,
    *,
    output: str | None = None,
    size: str | None = None,
    **event: str,
) -> Task:
    return Task(name, name, event, output, retry=_RETRY, timeout_s=timeout_s, size=size)


def way_of_spans(spans: int, limits: Limits) -> str:
    """How the surveys of a job with so many spans are begun; see `mu.fanout.way_of`."""
    return way_of(spans, at_once=limits.workers, width=1, most_calls=limits.spread_calls)


def way_of_batches(batches: int, limits: Limits, packing: Packing) -> str:
    """How so many batches are begun."""
    return way_of(
        batches,
        at_once=packing.batches_at_once,
        width=packing.shares_at_once,
        most_calls=limits.spread_calls,
    )
