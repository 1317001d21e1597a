"""A flow as plain data: `Task`, `Sequence`, `Parallel`, `Each`.

Every node takes an event (a JSON object) and returns a result. `input` builds the event that
a task sees; `output` says where its result goes. Both keep to what Amazon States Language can
express, so a state machine can be derived from the same flow:

| here | States Language |
|---|---|
| `Task.input` / `Each.item` with ``"$.a.b"`` values | `Parameters` / `ItemSelector` |
| ``"$item"``, ``"$index"`` in `Each.item` | ``$$.Map.Item.Value``, ``$$.Map.Item.Index`` |
| `output="key"` | `ResultPath: "$.key"` |
| `output=DISCARD` | `ResultPath: null` |
| `Each.distributed`, `concurrency` | `ProcessorConfig.Mode`, `MaxConcurrency` |
| `Each.way` | `Choice` of a distributed map, and a `Task` that interprets the map |
| `Each.items_in_store` | `ItemReader` of a JSON array in S3 |
| `Each.results` | `ResultWriter`'s prefix |
| `Task.size` | `States.ArrayGetItem` of the functions of each size |
| `Retry` | `Retry` with `MaxDelaySeconds` and `JitterStrategy: FULL` |
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mu.errors import FlowError

DISCARD = "-"
"""As an `output`: the node returns the event it was given and drops its own result."""

_PATH = re.compile(r"\$(item|index)?((?:\.[A-Za-z_][A-Za-z0-9_]*)*)")


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again when a task raises one of the named errors (exact class names).

    Attributes:
        errors: class names, for example ``("StoreBusy",)``.
        attempts: how many times to try again after the first attempt.
        interval_s: pause before the second attempt, in seconds.
        backoff: factor by which the pause grows.
        max_delay_s: the longest pause, in seconds.

    Each pause is drawn at random between 0 and that length, so that tasks that failed
    together do not all come back together.
    """

    errors: tuple[str, ...]
    attempts: int = 2
    interval_s: int = 1
    backoff: float = 2.0
    max_delay_s: int = 60

    def pause_s(self, attempt: int, fraction: float) -> float:
        """Seconds to wait after failure number `attempt` (from 0); `fraction` is within 0..1."""
        return fraction * min(self.max_delay_s, self.interval_s * self.backoff**attempt)


@dataclass(frozen=True, slots=True)
class Task:
    """One call of a named function.

    Attributes:
        name: unique in the flow. It is the state's name; errors and records show it.
        function: the task function: its key in the registry, its ``"package.module:name"``, or
            itself.
        input: event for the function; None passes the event on unchanged.
        output: key for the result; None replaces the event with it; `DISCARD` drops it.
        retry: rules; the first one that names the error applies.
        timeout_s: limit for one attempt in seconds, or None.
        size: for engines that have the function in several sizes of memory, path in the event of
            the number of the one to call, from 0; None for the first.
    """

    name: str
    function: str | Callable[..., Any]
    input: Mapping[str, Any] | None = None
    output: str | None = None
    retry: tuple[Retry, ...] = ()
    timeout_s: float | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """Steps one after another, each given the result of the one before."""

    name: str
    steps: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Named branches side by side on the same event; the result maps names to their results."""

    name: str
    branches: Mapping[str, Node]
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Each:
    """`body` once for every item of a list.

    Attributes:
        name: unique in the flow.
        items: path in the event of the list or, with `items_in_store`, of the key under
            which the store holds the list as a JSON array.
        body: what to do with each item.
        item: event for the body, from the event (``$.x``), ``$item`` and ``$index``; None for
            the item itself.
        output: as for `Task`. The result is the list of the body's results, or ``{}`` for a
            distributed map, whose results are too many for an event.
        distributed: run as a distributed map, with a child execution for each item and
            thousands of them at once.
        way: for a distributed map, path of what `mu.fanout.way_of` says of the list: one function
            begins few bodies faster. Engines of one machine need not know.
        concurrency: the most bodies that run at once: a number, or the path of one in the
            event; None for no cap.
        items_in_store: see `items`.
        results: for a distributed map, path of the key prefix under which the engine may
            record what became of the bodies, as Step Functions does.
    """

    name: str
    items: str
    body: Node
    item: Mapping[str, Any] | None = field(default_factory=lambda: {"item": "$item"})
    output: str | None = None
    distributed: bool = False
    concurrency: int | str | None = None
    items_in_store: bool = False
    results: str | None = None
    way: str | None = None


Node = Task | Sequence | Parallel | Each


def sequence(*steps: Node | Callable[..., Any], name: str = "flow") -> Sequence:
    """Steps one after another; a function is a `Task` of its own name."""
    return Sequence(name, tuple(map(_node, steps)))


def each(
    items: str,
    body: Node | Callable[..., Any],
    *,
    concurrency: int | str | None = None,
    output: str | None = None,
    name: str = "",
) -> Each:
    """A function or a node for each item of a list, which it is given as its event.

    Args:
        items: path of the list in the event, such as ``"$.batches"``.
        body: what to do with each item.
        concurrency: the most that run at once, or the path of that number.
        output: key for the list of results; None for the list alone.
        name: unique in the flow; by default made of the body's.
    """
    node = _node(body)
    return Each(name or f"each {node.name}", items, node, None, output, concurrency=concurrency)


def _node(step: Node | Callable[..., Any]) -> Node:
    if isinstance(step, Task | Sequence | Parallel | Each):
        return step
    named = step.func if isinstance(step, functools.partial) else step
    return Task(getattr(named, "__name__", type(named).__name__), step)


def walk(node: Node) -> Iterator[Node]:
    """The node and every node below it, parents first."""
    yield node
    below: tuple[Node, ...] = ()
    match node:
        case Sequence():
            below = node.steps
        case Parallel():
            below = tuple(node.branches.values())
        case Each():
            below = (node.body,)
    for child in below:
        yield from walk(child)


def check(flow: Node, functions: Mapping[str, str]) -> None:
    """Reject a flow that cannot run.

    Raises:
        FlowError: a name is used twice, a function is unknown, a path is malformed, a
            sequence or parallel node is empty, or a number is out of range.
    """
    seen: set[str] = set()
    for node in walk(flow):
        if not node.name or node.name in seen:
            raise FlowError(f"node names must be unique and not empty: {node.name!r}")
        seen.add(node.name)
        match node:
            case Task():
                known = not isinstance(node.function, str) or ":" in node.function
                if not known and node.function not in functions:
                    raise FlowError(f"task {node.name}: no function {node.function!r}")
                if node.timeout_s is not None and node.timeout_s <= 0:
                    raise FlowError(f"task {node.name}: timeout_s must be positive")
                _check_template(node.name, {**(node.input or {}), "size": node.size}, in_each=False)
            case Each():
                if isinstance(node.concurrency, int) and node.concurrency < 1:
                    raise FlowError(f"each {node.name}: concurrency must be at least 1")
                paths = {"items": node.items, "results": node.results,
                         "concurrency": node.concurrency, "way": node.way}  # fmt: skip
                _check_template(node.name, paths, in_each=False)
                _check_template(node.name, node.item or {}, in_each=True)
                if node.way is not None:
                    _check_way(node)
            case Sequence() if not node.steps:
                raise FlowError(f"sequence {node.name} has no steps")
            case Parallel() if not node.branches:
                raise FlowError(f"parallel {node.name} has no branches")


def _check_way(node: Each) -> None:
    if not node.distributed:
        raise FlowError(f"each {node.name}: way is for a distributed map")
    for below in walk(node.body):
        if isinstance(below, Each) and below.distributed:
            raise FlowError(
                f"each {below.name}: a distributed map in {node.name}, which may be spread"
            )


def _check_template(name: str, template: Any, *, in_each: bool) -> None:
    if isinstance(template, Mapping):
        for value in template.values():
            _check_template(name, value, in_each=in_each)
    elif isinstance(template, str) and template.startswith("$"):
        match = _PATH.fullmatch(template)
        if match is None or (match[1] and not in_each):
            raise FlowError(f"{name}: {template!r} is not a path")


def build(template: Any, event: Any, item: Any = None, index: int | None = None) -> Any:
    """Fill a template: strings that begin with ``$`` are paths, everything else is literal.

    Raises:
        FlowError: a path leads to nothing in the event.
    """
    if isinstance(template, Mapping):
        return {key: build(value, event, item, index) for key, value in template.items()}
    if not (isinstance(template, str) and template.startswith("$")):
        return template
    match = _PATH.fullmatch(template)
    if match is None:
        raise FlowError(f"{template!r} is not a path")
    value = {None: event, "item": item, "index": index}[match[1]]
    for part in match[2].split(".")[1:]:
        if not isinstance(value, Mapping) or part not in value:
            raise FlowError(f"{template!r} leads to nothing in {event!r}")
        value = value[part]
    return value


def place(event: Any, result: Any, output: str | None) -> Any:
    """What a node returns, from the event it was given, its result and its `output`."""
    if output is None:
        return result
    if output == DISCARD:
        return event
    return {**event, output: result}
