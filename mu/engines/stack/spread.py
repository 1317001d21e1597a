"""Runs one map of a flow from within a function, which calls all others and waits for them."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mu.engines.coordinator import Run
from mu.engines.stack.direct import DirectWorkers
from mu.errors import FlowError
from mu.fanout import UNWANTED_S
from mu.flow import Each, Node, walk
from mu.records import Observer
from mu.retries import tried_again
from mu.task import Event

LOOKS_S = 0.5
"""How often it is looked for calls that are slow."""

SPARE_S = 10.0
"""Of the function's time: what is left for the rest when it gives up."""


class SpreadStopped(Exception):
    """Nobody wants the results any more, or there is no time for them."""


def map_of(flow: Node, name: str) -> Each:
    """The map of that name.

    Raises:
        FlowError: there is none.
    """
    for node in walk(flow):
        if isinstance(node, Each) and node.name == name:
            return node
    raise FlowError(f"no map {name!r} in {getattr(flow, 'name', flow)}")


def run_spread(
    node: Each,
    event: Event,
    workers: DirectWorkers,
    *,
    wanted: Callable[[], bool],
    deadline: float,
) -> dict[str, Any]:
    """Run a map to its end.

    If a body fails for good, no further calls begin. Those that are under way are waited for: what
    runs the map again finds what they have stored, and does not call them beside themselves.

    Args:
        node: the map.
        event: what the flow's maps are given.
        workers: who runs the tasks; closed at the end.
        wanted: whether to go on; asked before the first call and every few seconds.
        deadline: Unix time until which there is time.

    Returns:
        `copies`, second copies of slow calls; `looked`, how often `wanted` was asked.

    Raises:
        TaskFailed: a task failed for good.
        SpreadStopped: the results are not wanted, or there is no time.
    """
    looked = 1
    if not wanted():
        raise SpreadStopped("the job was cancelled before its calls began")
    functions = {name: name for name in workers.functions}
    alone = replace(node, way=None, body=tried_again(node.body))
    last = deadline - SPARE_S
    run = Run(workers, alone, event, functions=functions, observer=Observer(), timeline=None)
    asked = time.monotonic()
    try:
        while True:
            concurrent.futures.wait([run.future], LOOKS_S)
            if run.done():
                run.result()
                break
            workers.copy_slow()
            if time.time() > last:
                raise SpreadStopped("there is no more time")
            if time.monotonic() - asked >= UNWANTED_S:
                asked = time.monotonic()
                looked += 1
                if not wanted():
                    raise SpreadStopped("the job was cancelled")
    except SpreadStopped:
        run.cancel()
        workers.close()
        raise
    except Exception:
        workers.close()
        workers.drain(time.monotonic() + max(0.0, last - time.time()))
        raise
    workers.close()
    return {"copies": workers.copies, "looked": looked}
