"""ExCamera's flow: plan, then sound beside all batches, then stitch."""

from __future__ import annotations

from dataclasses import dataclass

from mu import DISCARD, Each, Node, Parallel, Retry, Sequence, Task

FUNCTIONS = {
    name: f"excamera.steps.{name}:{name}"
    for name in ("plan", "encode", "rebase", "audio", "stitch")
}
"""Registry of the task functions for mu's local engine."""

_RETRY = (
    Retry(("SourceUnavailable", "StoreUnavailable"), attempts=4, interval_s=1, max_delay_s=20),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use; on one's own machine the number of workers limits it already.

    Attributes:
        timeout_s: for one attempt of a task, in seconds.
        batches_at_once: batches under way at the same time.
        chunks_at_once: chunks of one batch under way at the same time.
    """

    timeout_s: int | None = None
    batches_at_once: int | None = None
    chunks_at_once: int | None = None


def excamera_flow(limits: Limits | None = None) -> Node:
    """The whole job; its event is that of `excamera.steps.plan.plan`."""
    limits = limits or Limits()

    def task(name: str, **event: str) -> Task:
        return Task(name, name, input=event, retry=_RETRY, timeout_s=limits.timeout_s)

    batch = Sequence(
        "batch",
        (
            Each(
                "chunks",
                items="$.chunks",
                item={"job": "$.job", "batch": "$.batch", "chunk": "$item"},
                body=task("encode", job="$.job", batch="$.batch", chunk="$.chunk"),
                output=DISCARD,
                concurrency=limits.chunks_at_once,
            ),
            task("rebase", job="$.job", batch="$.batch"),
        ),
    )
    batches = Each(
        "batches",
        items="$.plan.items",
        items_in_store=True,
        item={"job": "$.job", "batch": "$item.batch", "chunks": "$item.chunks"},
        body=batch,
        distributed=True,
        concurrency=limits.batches_at_once,
        results="$.plan.results",
    )
    media = Parallel(
        "media", {"audio": task("audio", job="$.job"), "video": batches}, output=DISCARD
    )
    plan = Task("plan", "plan", output="plan", retry=_RETRY, timeout_s=limits.timeout_s)
    return Sequence("excamera", (plan, media, task("stitch", job="$.job")))
