"""Jobs whose source is surveyed in spans, without a film as long as that takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emulator.excamera.deployed import Deployed

FRAMES = 192
"""Frames of a film that has two spans within `in_spans`."""


@contextmanager
def in_spans(stack: Deployed) -> Iterator[None]:
    """Makes spans as short as they can be."""
    functions, name = stack.client("lambda"), stack.function("index")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]
    small = {"Variables": {**before["Variables"], "SPAN_PIXELS": "1"}}
    functions.update_function_configuration(FunctionName=name, Environment=small)
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment=before)
