"""Links the filters of a graph as FFmpeg's notation says: by labels, else along the chains."""

from __future__ import annotations

from collections.abc import Sequence

from av.filter.context import FilterContext

from excamera.errors import OptionError
from excamera.media.filters.syntax import Written

Pad = tuple[FilterContext, int]
"""An output or an input of a filter, by its number."""


def link(output: Pad, into: Pad) -> None:
    """Link an output to an input."""
    output[0].link_to(into[0], output[1], into[1])


def linked(written: Sequence[Written], nodes: Sequence[FilterContext]) -> tuple[Pad, Pad]:
    """Link the filters with each other.

    Args:
        written: the filters.
        nodes: the same, as FFmpeg made them.

    Returns:
        The input and the output of the graph.

    Raises:
        OptionError: it does not have exactly one of each.
    """
    made: dict[str, Pad] = {}
    wanted: dict[str, Pad] = {}
    inputs: list[Pad] = []
    outputs: list[Pad] = []
    chain: list[Pad] = []
    for one, node in zip(written, nodes, strict=True):
        if not one.follows:
            outputs += chain
            chain = []
        ins, outs = _pads(node, "inputs"), _pads(node, "outputs")
        if len(one.inputs) > len(ins) or len(one.outputs) > len(outs):
            raise OptionError(f"vf: {one.name} has fewer inputs or outputs than it has labels")
        for place in ins[len(one.inputs) :]:
            if chain:
                link(chain.pop(0), place)
            else:
                inputs.append(place)
        outputs += chain
        chain = outs[len(one.outputs) :]
        for label, place in zip(one.inputs, ins, strict=False):
            if label in made:
                link(made.pop(label), place)
            else:
                wanted[label] = place
        for label, place in zip(one.outputs, outs, strict=False):
            if label in wanted:
                link(place, wanted.pop(label))
            else:
                made[label] = place
    inputs += wanted.values()
    outputs += [*chain, *made.values()]
    if len(inputs) != 1 or len(outputs) != 1:
        raise OptionError(
            f"vf: the graph has {len(inputs)} inputs and {len(outputs)} outputs; it must have one "
            "of each"
        )
    return inputs[0], outputs[0]


def _pads(node: FilterContext, side: str) -> list[Pad]:
    # PyAV's types do not tell of these.
    return [(node, place) for place in range(len(getattr(node, side)))]
