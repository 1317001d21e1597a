"""Runs the programs beside this file, plain and under the sanitizers."""

import os
import subprocess

import pytest

from tests.support.pictures import moving_pictures
from tests.support.shared import ROOT, VECTORS
from tests.support.streams import encode_with_libvpx, write_ivf

PROGRAMS = sorted(path.stem for path in (ROOT / "tests" / "native").glob("*_test.cc"))
BUILDS = ("native-tests", "native-sanitized")
TARGETS = {"native-sanitized": "sanitized", "native-memory": "clang"}
# The smallest vectors, with split vectors and odd sizes among them.
STREAMS = [vector for vector in VECTORS if vector.stem[-3:] in ("008", "003", "016", "017")]


def run(build: str, program: str, *arguments: object) -> None:
    """Runs one program, or skips the test if its build is missing."""
    path = ROOT / "build" / build / program
    if not path.exists():
        pytest.skip(f"build/{build}/{program} is not built: `make {TARGETS.get(build, build)}`")
    environment = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1"}
    done = subprocess.run(
        [str(path), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment,
    )
    if "can not mmap the shadow memory" in done.stderr:
        pytest.skip("MemorySanitizer of this clang cannot run on this kernel")
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_finds_nothing_wrong(build, program):
    """A part of the native core would break one of its own rules."""
    run(build, program)


@pytest.mark.parametrize("program", ["leftovers_test", "same_bytes_test"])
def test_nothing_unwritten_is_read(program):
    """The same input would give other bytes now and then, by what memory held before."""
    run("native-memory", program)


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_mutated_streams_of_libvpx(build, tmp_path):
    """A frame from outside could make the codec read or write outside its memory."""
    streams = list(STREAMS)
    for index, options in enumerate(
        [{"slices": "8", "b": "500k"}, {"profile": "3", "error-resilient": "default"}]
    ):
        pictures = moving_pictures(79 - index, 65 + index, 5, seed=index, noise=4)
        streams.append(tmp_path / f"{index}.ivf")
        write_ivf(streams[-1], encode_with_libvpx(pictures, options))
    run(build, "fuzz_frames_test", 60, *streams)
