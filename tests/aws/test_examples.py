"""The examples on the stack: the modules of this repository's `examples/` are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from excamera.media.sample import SampleClip, write_sample
from tests.support.examples import lines_of, run_example

pytestmark = [pytest.mark.aws, pytest.mark.slow]


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, Any]:
    """Variables with which programs find the stack."""
    return {**emulator.environment, "AWS_EC2_METADATA_DISABLED": "true"}


def test_functions_of_an_example_run_there(
    stack: Deployed, environment: dict[str, Any], tmp_path: Path
) -> None:
    """If this fails, `--on stack:NAME` needs the example to be installed on the stack."""
    bucket = stack.outputs["OutputBucket"]  # uploads to the input bucket would start jobs
    for name, text in (("a.txt", b"one two two"), ("b.txt", b"two")):
        stack.client("s3").put_object(Bucket=bucket, Key=f"texts/{name}", Body=text)
    done = run_example(
        "word_count", f"s3://{bucket}/texts/*.txt", "--on", f"stack:{stack.name}",
        inside=tmp_path, **environment,
    )  # fmt: skip
    assert lines_of(done)[-1] == "4 words, 2 different ones, in 2 files"


def test_gangs_of_the_examples_run_there(
    stack: Deployed, environment: dict[str, Any], tmp_path: Path
) -> None:
    """If this fails, members on a stack do not reach each other."""
    done = run_example(
        "heat", "--size", "9", "--most-steps", "20", "--workers", "2", "--check",
        "--on", f"stack:{stack.name}", inside=tmp_path, **environment,
    )  # fmt: skip
    assert lines_of(done)[-1] == "the plain solver has the same result, bit by bit"
    keys = np.random.default_rng(1).zipf(1.5, 10_000)
    np.save(tmp_path / "numbers.npy", keys)
    done = run_example(
        "sample_sort", "numbers.npy", "sorted.npy", "--workers", "2",
        "--on", f"stack:{stack.name}", inside=tmp_path, **environment,
    )  # fmt: skip
    assert len(lines_of(done)) == 2
    assert np.array_equal(np.load(tmp_path / "sorted.npy"), np.sort(keys))


def test_programs_and_films_go_there_and_back(
    stack: Deployed, environment: dict[str, Any], tmp_path: Path
) -> None:
    """If this fails, files of this machine do not reach a stack's workers, or films do not."""
    (tmp_path / "a.txt").write_text("text\n" * 1000)
    done = run_example(
        "compress", "a.txt", "--into", "out/{name}.gz", "--on", f"stack:{stack.name}",
        inside=tmp_path, **environment,
    )  # fmt: skip
    assert lines_of(done)[-1].startswith("       5,000 -> ")
    bucket = stack.outputs["OutputBucket"]
    write_sample(tmp_path / "film.mp4", SampleClip(96, 64, 12, 1))
    stack.client("s3").upload_file(str(tmp_path / "film.mp4"), bucket, "films/film.mp4")
    done = run_example(
        "film_filter", f"s3://{bucket}/films/film.mp4", "sharp.webm", "--span-frames", "5",
        "--on", f"stack:{stack.name}", inside=tmp_path, **environment,
    )  # fmt: skip
    assert lines_of(done)[0] == "12 frames in 3 spans, all times kept"
