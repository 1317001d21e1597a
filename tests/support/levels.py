"""The SIMD levels of this machine, each in a process of its own: a process chooses only once."""

from __future__ import annotations

import multiprocessing
import os
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

import codec

VARIABLE = "EXCAMERA_CODEC_SIMD"
REFERENCE = "reference"


def process_at(level: str) -> ProcessPoolExecutor:
    """Returns a process that sets the codec's level before its first use."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, spawn, os.putenv, (VARIABLE, level))


def refusal_of(level: str) -> str:
    """Returns the codec's answer to an unknown level."""
    with process_at(level) as process, pytest.raises(codec.FrameArgumentError) as refused:
        process.submit(codec.simd_level).result()
    return str(refused.value)


def names_of_levels() -> list[str]:
    """Returns the levels of this machine, as the codec names them; the reference is first."""
    listed = re.search(r" is one of (.+) on this machine", refusal_of("none-such"))
    assert listed
    return listed[1].split(", ")


@contextmanager
def processes() -> Iterator[dict[str, ProcessPoolExecutor]]:
    """Yields a process at each level, by name; the reference is first."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(process_at(name)) for name in names_of_levels()}
        for name, process in running.items():
            assert process.submit(codec.simd_level).result() == name
        assert next(iter(running)) == REFERENCE
        yield running
