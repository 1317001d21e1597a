"""How calls are tried again after failures that are the cloud's, not the function's."""

from __future__ import annotations

from dataclasses import replace

from mu.flow import Each, Node, Parallel, Retry, Sequence

BUSY = Retry(
    ("Lambda.TooManyRequestsException",), attempts=190, interval_s=1, backoff=2.0, max_delay_s=6
)
"""Too many workers run at once: waiting helps, and costs next to nothing.

Pauses are short, so that a free place is not left empty. On average they take three seconds, so
attempts last for ten minutes; then the job as a whole starts again and keeps what is finished (see
`excamera.lifecycle.failure`). More attempts would fill the history of a batch, in which each leaves
three events of at most 25,000.
"""

DIED = Retry(
    (
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "MemoryError",
        "Sandbox.Timedout",
        "States.Timeout",
    ),
    attempts=3,
    interval_s=2,
    backoff=2.0,
    max_delay_s=30,
)
"""Lambda's own failures, and workers that were killed or ran out of memory or time."""


def tried_again(node: Node) -> Node:
    """The node, whose tasks are tried again by these rules, too, as a state machine does it."""
    match node:
        case Sequence():
            return replace(node, steps=tuple(map(tried_again, node.steps)))
        case Parallel():
            branches = {name: tried_again(one) for name, one in node.branches.items()}
            return replace(node, branches=branches)
        case Each():
            return replace(node, body=tried_again(node.body))
        case _:
            return replace(node, retry=(*node.retry, BUSY, DIED))
