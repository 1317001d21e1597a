"""ExCamera's flow: index, then the sound beside surveys and plan, then all batches, then stitch.

A short source has no spans to survey. A batch codes its anchors, then all chunks at the same time,
then joins them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from excamera.job.steps import STEPS
from mu import DISCARD, Each, Node, Parallel, Retry, Sequence, Task

FUNCTIONS = {step.name: step.task for step in STEPS}
"""Registry of the task functions for flows on one machine."""

_RETRY = (
    Retry(("SourceUnavailable", "StoreUnavailable"), attempts=4, interval_s=1, max_delay_s=20),
)

_MOST_CHILDREN = 10_000
"""Step Functions runs no more child executions of a map at the same time."""

FRONT = 3
"""Functions that jobs leave to what serves them: the API, uploads, ends of jobs."""


def capacity_of(concurrency: int, workers_at_once: int = 0) -> int:
    """How many functions all jobs together may run at the same time.

    Args:
        concurrency: functions that the account runs at the same time.
        workers_at_once: the stack's own limit; 0 for none.
    """
    free = max(1, concurrency - FRONT)
    return min(free, workers_at_once) if workers_at_once else free


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a job in the cloud; on one machine the number of workers is the limit.

    Attributes:
        batches_at_once: the most batches that run at the same time.
        chunks_at_once: the most chunks of one batch that run at the same time.
        concurrency: functions that all jobs together may run at the same time, if known.
        granted: those of them that this job may run; None for all.
    """

    batches_at_once: int = _MOST_CHILDREN
    chunks_at_once: int = 10_000
    concurrency: int | None = None
    granted: int | None = None

    @property
    def workers(self) -> int:
        """The most functions that run at the same time."""
        most = min(self.batches_at_once * self.chunks_at_once, _MOST_CHILDREN)
        return most if self._free is None else max(1, min(most, self._free))

    @property
    def _free(self) -> int | None:
        return self.concurrency if self.granted is None else self.granted

    def useful(self, chunks: int, batch_chunks: int) -> int:
        """The most functions that a job could use, with one for the sound.

        Args:
            chunks: of the job.
            batch_chunks: of its largest batch.
        """
        of_batch = min(self.chunks_at_once, batch_chunks)
        return 1 + min(chunks, self.batches_at_once * of_batch)

    def fit(self, batch_chunks: int) -> Limits:
        """These limits, lowered to what the job may run; the sound takes one function."""
        if self._free is None:
            return self
        room = max(1, self._free - 1)
        chunks = min(self.chunks_at_once, room)
        batches = max(1, room // min(chunks, batch_chunks))
        return replace(
            self, batches_at_once=min(self.batches_at_once, batches), chunks_at_once=chunks
        )


def excamera_flow(timeout_s: int | None = None) -> Node:
    """The whole job; its event is that of `excamera.steps.index.index`.

    Args:
        timeout_s: for one attempt of a task, in seconds.
    """

    def task(name: str, *, output: str | None = None, **event: str) -> Task:
        return Task(name, name, input=event, output=output, retry=_RETRY, timeout_s=timeout_s)

    batch = Sequence(
        "batch",
        (
            task("anchors", output=DISCARD, job="$.job", batch="$.batch"),
            Each(
                "chunks",
                items="$.chunks",
                item={"job": "$.job", "batch": "$.batch", "chunk": "$item"},
                body=task("encode", job="$.job", batch="$.batch", chunk="$.chunk"),
                output=DISCARD,
                concurrency="$.chunks_at_once",
            ),
            task("join", job="$.job", batch="$.batch"),
        ),
    )
    batches = Each(
        "batches",
        items="$.ready.plan.items",
        items_in_store=True,
        item={
            "job": "$.job",
            "batch": "$item.batch",
            "chunks": "$item.chunks",
            "chunks_at_once": "$.ready.plan.chunks_at_once",
        },
        body=batch,
        distributed=True,
        concurrency="$.ready.plan.batches_at_once",
        results="$.ready.plan.results",
        output=DISCARD,
    )
    index = Task("index", "index", output="indexed", retry=_RETRY, timeout_s=timeout_s)
    surveys = Each(
        "spans",
        items="$.indexed.spans",
        item={"job": "$.job", "span": "$item"},
        body=task("survey", job="$.job", span="$.span"),
        output=DISCARD,
        distributed=True,
        concurrency="$.indexed.spans_at_once",
    )
    plan = task("plan", job="$.job", limits="$.indexed.limits")
    # Workers put the sound before their batches, so it must be there first.
    ready = Parallel(
        "ready",
        {"audio": task("audio", job="$.job"), "plan": Sequence("cut", (surveys, plan))},
        output="ready",
    )
    return Sequence("excamera", (index, ready, batches, task("stitch", job="$.job")))
