"""Commands whose standard streams are closed, full, or read by nobody."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from excamera.media.playback import read_file
from tests.pipeline.clips import Clip
from tests.support.commands import EXCAMERA, MU, run

pytestmark = pytest.mark.slow  # many processes, one after another


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very short clip."""
    return Clip(frames=6).write(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="module")
def encoded(clip: Path) -> Path:
    """The clip, encoded."""
    output = clip.with_name("encoded.ivf")
    assert run(*EXCAMERA, "encode", clip, output).returncode == 0
    return output


def without(*descriptors: int) -> Callable[[], None]:
    """What closes standard streams in the child, as `2>&-` does."""

    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


def nobody_reads() -> int:
    """The writing end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("stderr", ["full", "closed", "nobody reads"])
def test_progress_that_cannot_be_written_stops_nothing(
    stderr: str, clip: Path, tmp_path: Path
) -> None:
    """If this fails, an encode of hours ends, or hangs, because a log's disk is full."""
    output = tmp_path / "a.webm"
    command = [*EXCAMERA, "encode", clip, output, "-n", "3"]
    if stderr == "closed":
        done = run(*command, stdout=subprocess.PIPE, preexec_fn=without(2))
    else:
        descriptor = os.open("/dev/full", os.O_WRONLY) if stderr == "full" else nobody_reads()
        done = run(*command, stdout=subprocess.PIPE, stderr=descriptor)
        os.close(descriptor)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{output}: {output.stat().st_size:,} bytes")
    assert len(read_file(output).frames) >= 6


def test_failures_that_cannot_be_told_stop_no_other_item(tmp_path: Path) -> None:
    """If this fails, `mu map` loses all results because one message could not be written."""
    (tmp_path / "f.py").write_text("def f(x):\n    return 6 // x\n")
    command = [*MU, "map", "--local", f"{tmp_path}/f.py:f", "--items", "-"]
    writing = nobody_reads()
    done = run(*command, input="3\n0\n2\n", stdout=subprocess.PIPE, stderr=writing)
    os.close(writing)
    assert (done.returncode, done.stdout) == (2, "2\nnull\n3\n")
    done = run(*command, input="3\n0\n2\n", stdout=subprocess.PIPE, preexec_fn=without(2))
    assert (done.returncode, done.stdout) == (2, "2\nnull\n3\n")


def test_errors_that_cannot_be_written_keep_their_exit_code(tmp_path: Path) -> None:
    """If this fails, a script takes a failure without a log for something else."""
    with Path("/dev/full").open("w") as full:
        for command in ([*EXCAMERA, "encode", tmp_path / "no", tmp_path / "a.webm"],
                        [*MU, "run", "--local", "--input", tmp_path / "no", "cat"]):  # fmt: skip
            assert run(*command, stdout=subprocess.PIPE, stderr=full).returncode == 2


def test_results_that_cannot_be_written_are_an_error(encoded: Path) -> None:
    """If this fails, `excamera decode --md5 > list` on a full disk looks as if it had worked."""
    command = [*EXCAMERA, "decode", encoded, "--md5"]
    with Path("/dev/full").open("w") as full:
        done = run(*command, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (
        2, "excamera: standard output: No space left on device\n",
    )  # fmt: skip
    done = run(*command, stderr=subprocess.PIPE, preexec_fn=without(1))
    assert (done.returncode, done.stderr) == (
        2, "excamera: standard output: Bad file descriptor\n",
    )  # fmt: skip
    done = run(*EXCAMERA, "--help", stderr=subprocess.PIPE, preexec_fn=without(1))
    assert done.returncode == 2


def test_an_encode_is_whole_although_its_summary_is_lost(clip: Path, tmp_path: Path) -> None:
    """If this fails, an encode throws its result away because nobody hears of it."""
    output = tmp_path / "a.webm"
    with Path("/dev/full").open("w") as full:
        done = run(*EXCAMERA, "encode", clip, output, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.endswith("excamera: standard output: No space left on device\n")
    assert len(read_file(output).frames) >= 6
    done = run(*EXCAMERA, "encode", clip, output, "--overwrite", preexec_fn=without(0, 1, 2))
    assert done.returncode == 2
    assert len(read_file(output).frames) >= 6


def test_nobody_reads_the_results(encoded: Path, clip: Path, tmp_path: Path) -> None:
    """If this fails, `excamera decode --md5 | head` ends with a traceback, not as `cat` would."""
    (tmp_path / "f.py").write_text("def f(x):\n    return x\n")
    items = "1\n2\n"
    for command, given in (
        ([*EXCAMERA, "decode", encoded, "--md5"], ""),
        ([*EXCAMERA, "compare", clip, encoded, "--frames"], ""),
        ([*EXCAMERA, "encode", clip, tmp_path / "a.webm"], ""),
        ([*MU, "map", "--local", f"{tmp_path}/f.py:f", "--items", "-"], items),
    ):
        writing = nobody_reads()
        done = run(*command, stdout=writing, stderr=subprocess.PIPE, input=given)
        os.close(writing)
        assert done.returncode == 128 + signal.SIGPIPE, command
        assert "Traceback" not in done.stderr
        assert "excamera:" not in done.stderr
        assert "mu:" not in done.stderr
    assert len(read_file(tmp_path / "a.webm").frames) >= 6


def test_standard_input_that_cannot_be_read(tmp_path: Path) -> None:
    """If this fails, a source from a closed stream ends in a traceback."""
    done = run(*EXCAMERA, "encode", "-", tmp_path / "a.webm", preexec_fn=without(0))
    assert done.returncode == 2
    assert done.stderr == "excamera: standard input: Bad file descriptor\n"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_text_is_printed_as_it_is(clip: Path, tmp_path: Path) -> None:
    """If this fails, an encode with an old name ends in a traceback after all the work."""
    output = os.fsencode(tmp_path) + b"/\xff.webm"
    done = subprocess.run([*EXCAMERA, "encode", clip, output], capture_output=True, check=True)
    assert done.stdout.startswith(output + b": ")
    assert b"Traceback" not in done.stderr
