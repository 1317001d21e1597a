"""Templates of a flow, read once for thousands of events; they fill as `mu.flow.build` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mu.errors import FlowError
from mu.flow import build

Fill = Callable[[Any, Any, Any], Any]
"""From an event, an item and its index to what the template is then."""


def template(source: Any) -> Fill:
    """The template as a function."""
    if isinstance(source, Mapping):
        parts = [(key, template(value)) for key, value in source.items()]
        return lambda event, item, index: {key: fill(event, item, index) for key, fill in parts}
    if not (isinstance(source, str) and source.startswith("$")):
        return lambda event, item, index: source
    root, *names = source[1:].split(".")
    if root == "index":
        return lambda event, item, index: index

    def fill(event: Any, item: Any, index: Any) -> Any:
        value = item if root else event
        try:
            for name in names:
                value = value[name]
        except (KeyError, TypeError):
            build(source, event, item, index)  # says what is wrong
            raise FlowError(f"{source!r} leads to nothing in {event!r}") from None
        return value

    return fill
