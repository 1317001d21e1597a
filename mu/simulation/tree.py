"""A flow's nodes as steps in simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mu.errors import FlowError
from mu.flow import Each, Node, Parallel, Sequence, Task
from mu.simulation.maps import Map
from mu.simulation.steps import ParallelStep, SequenceStep, Step, TaskStep

if TYPE_CHECKING:
    from mu.simulation.run import Run


def step_of(run: Run, node: Node) -> Step:
    """A node as it is run.

    Args:
        run: the simulation.
        node: the node.

    Raises:
        FlowError: it is of no known kind.
    """
    match node:
        case Task():
            return TaskStep(run, node)
        case Sequence():
            return SequenceStep([step_of(run, one) for one in node.steps])
        case Parallel():
            branches = {name: step_of(run, one) for name, one in node.branches.items()}
            return ParallelStep(run, node.output, branches)
        case Each():
            return Map(run, node, step_of(run, node.body))
    raise FlowError(f"{node!r} is no node of a flow")
