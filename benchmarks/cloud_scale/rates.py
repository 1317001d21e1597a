"""What the published rates say of a fan-out, by arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass

from mu.simulation import Cloud, Fanout

TRANSITIONS_OF_CHILD = 3
"""Of a batch with one share: the map of anchors, which is empty, that of shares, and a task."""

_EVENTS = 17
"""Of such a batch in a history: two of its child, or of its iteration if it has no child; four of
each map, two of the share's iteration, five of its task."""

_ITEM_BYTES = 52
"""Of such a batch in the list of all."""


@dataclass(frozen=True)
class Rates:
    """The least that a fan-out takes by one limit after another.

    Attributes:
        start_s: to begin all bodies.
        transitions_s: to grant the transitions of all.
        ramp_s: until the last environment may be made, if each batch needs its own.
        history: events of the longest history.
        list_bytes: of the list of batches, if it is part of an event; else 0.
    """

    start_s: float
    transitions_s: float
    ramp_s: float
    history: int
    list_bytes: int


def rates(batches: int, kind: Fanout, names: int, cloud: Cloud, workers: int) -> Rates:
    """What the rates say of so many batches with one share each."""
    a_second = {
        Fanout.STANDARD: cloud.standard_children,
        Fanout.EXPRESS: cloud.express_children,
        Fanout.CALLBACK: cloud.dispatch,
    }
    counted = kind in (Fanout.STANDARD, Fanout.INLINE)
    transitions = batches * TRANSITIONS_OF_CHILD if counted else 0
    environments = min(batches, workers)
    inline = kind is Fanout.INLINE
    own = _EVENTS if kind is Fanout.STANDARD else 0
    return Rates(
        start_s=batches / a_second[kind] if kind in a_second else 0.0,
        transitions_s=max(0.0, transitions - cloud.transitions_burst) / cloud.transitions,
        ramp_s=max(0.0, environments - names * cloud.ramp_burst) / (names * cloud.ramp),
        history=batches * _EVENTS if inline else own,
        list_bytes=batches * _ITEM_BYTES if inline else 0,
    )
