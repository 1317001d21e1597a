"""When the bodies of an `Each` run inside the execution that has the map, and when apart.

A distributed map begins a child execution for each body. Each child has a history of its own, so
there may be any number of bodies, but to begin them and to gather what became of them takes
seconds. Inline, nothing is gathered. But all bodies share one history, and one event has the whole
list. So inline tasks are tried again less often than others, and `fan_out` counts what they could
leave in the history at worst.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mu.flow import Each, Node, Parallel, Task, build
from mu.flow import Sequence as Steps

MOST_AT_ONCE = 40
"""Step Functions runs no more iterations of one inline map at the same time."""

MOST_EVENTS = 20_000
"""Of a history of at most 25,000 events, what all inline bodies of an execution may fill. The rest
is for its other states, with all their retries."""

MOST_BYTES = 65_536
"""Of an event of at most 262,144 bytes, what one list may have: a job can have several, and a
caught error."""

ATTEMPTS = 2
"""How often an inline task is tried again, whatever has happened. If that does not help, what runs
the flow should start it again with distributed maps, whose tasks have all their retries."""

ATTEMPTS_OF_RECORDER = 1
"""How often the call that records the failure of an inline task is tried again."""

TASK_EVENTS = 5  # TaskStateEntered, LambdaFunctionScheduled, -Started, -Succeeded, TaskStateExited
RETRY_EVENTS = 3  # LambdaFunctionFailed, -Scheduled, -Started
STATE_EVENTS = 4  # of Map and Parallel: -StateEntered, -Started, -Succeeded, -Exited
ITERATION_EVENTS = 2  # MapIterationStarted, -Succeeded
CHOICE_EVENTS = 2  # ChoiceStateEntered, -Exited

_WORST_OF_TASK = (
    TASK_EVENTS + RETRY_EVENTS * ATTEMPTS + TASK_EVENTS + RETRY_EVENTS * ATTEMPTS_OF_RECORDER
)


@dataclass(frozen=True, slots=True)
class Load:
    """What bodies are at most.

    Attributes:
        calls: of functions, without retries.
        events: of the history, if every task uses up its retries and then fails.
    """

    calls: int = 0
    events: int = 0

    def __add__(self, other: Load) -> Load:
        return Load(self.calls + other.calls, self.events + other.events)


def load_of(node: Each, items: Sequence[Any]) -> Load:
    """What the bodies of a list would be, if they ran inline."""
    groups = -(-len(items) // MOST_AT_ONCE)
    total = Load(0, CHOICE_EVENTS + STATE_EVENTS + groups * (STATE_EVENTS + ITERATION_EVENTS))
    known: dict[tuple[tuple[str, int], ...], Load] = {}
    for item in items:
        # Of thousands of equal bodies one is looked at.
        event = _event(node, item)
        lists = {key: value for key, value in event.items() if isinstance(value, list)}
        kind = tuple((key, len(value)) for key, value in lists.items())
        if kind not in known:
            known[kind] = Load(0, ITERATION_EVENTS) + _worst(node.body, lists)
        total += known[kind]
    return total


def fan_out(
    node: Each, items: Sequence[Any], *, at_once: int, most_calls: int, events: int = 0
) -> dict[str, Any]:
    """How the bodies of a list are begun, as `Each.inline` finds it in an event.

    Args:
        node: the map.
        items: its list.
        at_once: how many bodies may run at the same time.
        most_calls: of functions, by all bodies together; 0 for never inline.
        events: what other lists of the execution may leave in its history.

    Returns:
        The list as ``items`` if one inline map runs it; in ``groups`` if each needs a map of its
        own; nothing if the map is to be distributed.
    """
    if not most_calls or len(items) > max(MOST_AT_ONCE, min(at_once, MOST_AT_ONCE**2)):
        return {}
    load = load_of(node, items)
    fits = (
        load.calls <= most_calls
        and events + load.events <= MOST_EVENTS
        and len(json.dumps(items)) <= MOST_BYTES
    )
    if not fits:
        return {}
    if len(items) <= MOST_AT_ONCE:
        return {"items": list(items)}
    firsts = range(0, len(items), MOST_AT_ONCE)
    return {"groups": [list(items[first : first + MOST_AT_ONCE]) for first in firsts]}


def items_of(found: Mapping[str, Any]) -> list[Any] | None:
    """The list that `fan_out` has put there, or None if it says that the map is distributed."""
    if "groups" in found:
        return [item for group in found["groups"] for item in group]
    return found.get("items")


def _event(node: Each, item: Any) -> dict[str, Any]:
    """What a body is given, as far as its item says it."""
    if node.item is None:
        return item if isinstance(item, dict) else {}
    own = {
        key: value
        for key, value in node.item.items()
        if isinstance(value, str) and value.startswith("$item")
    }
    found: dict[str, Any] = build(own, {}, item)
    return found


def _worst(node: Node, lists: Mapping[str, Any]) -> Load:
    match node:
        case Task():
            return Load(1, _WORST_OF_TASK)
        case Steps():
            return sum((_worst(step, lists) for step in node.steps), Load())
        case Parallel():
            branches = (_worst(branch, lists) for branch in node.branches.values())
            return sum(branches, Load(0, STATE_EVENTS))
        case Each():
            found = build(node.items, lists)
            inner = Load(0, ITERATION_EVENTS) + _worst(node.body, {})
            return sum((inner for _ in found), Load(0, STATE_EVENTS))
