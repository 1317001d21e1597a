"""Jobs whose source is surveyed in spans, without a film as long as that takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulator.excamera.deployed import Deployed

FRAMES = 192
"""Frames of a film that has two spans within `in_spans`."""


LARGE = 2 << 20
"""Bytes of a file whose job has a turn of many workers."""


def padded(film: Path) -> Path:
    """A film in an MP4 with as many bytes as one that is worth many workers, by which turns go."""
    box = (8 + LARGE).to_bytes(4, "big") + b"free" + bytes(LARGE)
    film.write_bytes(film.read_bytes() + box)
    return film


@contextmanager
def in_spans(stack: Deployed) -> Iterator[None]:
    """Makes spans as short as they can be, for jobs that begin meanwhile."""
    variables = stack.configuration("index")["Environment"]["Variables"]
    with stack.changed("index", Environment={"Variables": {**variables, "SPAN_PIXELS": "1"}}):
        yield
