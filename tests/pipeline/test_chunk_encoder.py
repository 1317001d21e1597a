"""The bytes that libvpx makes of a chunk do not depend on the machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from excamera.job.encoders import DEADLINES, VpxSettings
from excamera.job.options import EncodeOptions
from excamera.media.chunk_encoder import encode_chunk, vpx_options
from excamera.media.source.picture import frame_of
from tests.pipeline.clips import moving_picture


@pytest.mark.parametrize(
    ("cpu_used", "asked"), [(0, "-1"), (1, "-1"), (8, "-8"), (-8, "-8"), (16, "-16")]
)
def test_realtime_has_a_fixed_speed(cpu_used: int, asked: str) -> None:
    """If this fails, libvpx chooses its speed by the clock: a retry makes other bytes."""
    options = EncodeOptions(vpx=VpxSettings(deadline="realtime", cpu_used=cpu_used))
    assert vpx_options(options)["cpu-used"] == asked


# Whatever the priority of these tests: a process with real-time priority would starve all
# others, and nobody could stop it.
_COMPETES = """
import contextlib, os, time
with contextlib.suppress(OSError):
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
until = time.monotonic() + 300
while time.monotonic() < until:
    pass
"""


@contextmanager
def busy_machine() -> Iterator[None]:
    """Three programs that compete for each of two processors."""
    programs = [subprocess.Popen([sys.executable, "-c", _COMPETES]) for _ in range(6)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


@pytest.mark.slow
@pytest.mark.parametrize("deadline", DEADLINES)
def test_a_busy_machine_makes_the_same_chunk(deadline: str) -> None:
    """If this fails, two attempts at a chunk make different bytes if one of them had to wait."""
    frames = 24 if deadline == "realtime" else 6
    pictures = [frame_of(moving_picture(number, 1280, 720)) for number in range(frames)]
    options = EncodeOptions(vpx=VpxSettings(deadline=deadline, cpu_used=8))
    alone = encode_chunk(pictures, options)
    with busy_machine():
        assert encode_chunk(pictures, options) == alone
