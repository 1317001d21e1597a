"""Jobs whose source is surveyed in spans, without a film as long as that takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emulator.excamera.deployed import Deployed

FRAMES = 192
"""Frames of a film that has two spans within `in_spans`."""


@contextmanager
def in_spans(stack: Deployed) -> Iterator[None]:
    """Makes spans as short as they can be, for jobs that begin meanwhile."""
    variables = stack.configuration("index")["Environment"]["Variables"]
    with stack.changed("index", Environment={"Variables": {**variables, "SPAN_PIXELS": "1"}}):
        yield
