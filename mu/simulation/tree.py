"""A flow's nodes as steps in simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mu.errors import FlowError
from mu.flow import Each, Node, Parallel, Sequence, Task
from mu.simulation.maps import Map
from mu.simulation.steps import ParallelStep, SequenceStep, Step, TaskStep

if TYPE_CHECKING:
    from mu.simulation.run import Run


def step_of(run: Run, node: Node, *, inline: bool = False) -> Step:
    """A node as it is run.

    Args:
        run: the simulation.
        node: the node.
        inline: whether it is part of the body of a map that was to be distributed and is not.

    Raises:
        FlowError: it is of no known kind.
    """
    match node:
        case Task():
            return TaskStep(run, node, inline=inline)
        case Sequence():
            return SequenceStep([step_of(run, one, inline=inline) for one in node.steps])
        case Parallel():
            branches = {
                name: step_of(run, one, inline=inline) for name, one in node.branches.items()
            }
            return ParallelStep(run, node.output, branches)
        case Each():
            body = step_of(run, node.body, inline=inline)
            alike = body if node.inline is None else step_of(run, node.body, inline=True)
            return Map(run, node, body, alike)
    raise FlowError(f"{node!r} is no node of a flow")
