"""ExCamera's flow: plan, then sound beside all batches, then stitch."""

from __future__ import annotations

from mu import DISCARD, Each, Node, Parallel, Retry, Sequence, Task

FUNCTIONS = {
    name: f"excamera.steps.{name}:{name}"
    for name in ("plan", "encode", "rebase", "audio", "stitch")
}
"""Registry of the task functions for mu's local engine."""

_RETRY = (Retry(errors=("SourceUnavailable",), attempts=2, interval_s=0.5, backoff=2.0),)


def excamera_flow(timeout_s: float | None = None) -> Node:
    """The whole job; its event is that of `excamera.steps.plan.plan`.

    Args:
        timeout_s: limit for one attempt of a task in seconds; None on one's own machine,
            where nothing but patience limits a task.
    """

    def task(name: str, **event: str) -> Task:
        return Task(name, name, input=event, retry=_RETRY, timeout_s=timeout_s)

    batch = Sequence(
        "batch",
        (
            Each(
                "chunks",
                items="$.chunks",
                item={"job": "$.job", "batch": "$.batch", "chunk": "$item"},
                body=task("encode", job="$.job", batch="$.batch", chunk="$.chunk"),
                output=DISCARD,
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
    )
    media = Parallel(
        "media", {"audio": task("audio", job="$.job"), "video": batches}, output=DISCARD
    )
    plan = Task("plan", "plan", output="plan", retry=_RETRY, timeout_s=timeout_s)
    return Sequence("excamera", (plan, media, task("stitch", job="$.job")))
