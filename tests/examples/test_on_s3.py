"""The examples read from S3 and write to it, as their pages say."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from excamera.media.sample import SampleClip, write_sample
from tests.support.emulator import an_emulator
from tests.support.examples import lines_of, refusal, run_example

pytestmark = pytest.mark.aws

TEXTS = {"a.txt": b"one two two", "b c%20.txt": b"two", "d/e.txt": b"three\n" * 500}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator with a bucket of texts, and a film."""
    folder = tmp_path_factory.mktemp("s3")
    with an_emulator(folder) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="mine")
        for name, text in TEXTS.items():
            s3.put_object(Bucket="mine", Key=f"texts/{name}", Body=text)
        write_sample(folder / "film.mp4", SampleClip(96, 64, 12, 1))
        s3.upload_file(str(folder / "film.mp4"), "mine", "film.mp4")
        yield running


def environment(cloud: Emulator) -> dict[str, Any]:
    """Variables with which programs find the emulator."""
    return {**cloud.environment, "AWS_EC2_METADATA_DISABLED": "true"}


def test_words_of_objects_are_counted(cloud: Emulator, tmp_path: Path) -> None:
    """If this fails, functions cannot read what `mu.files` finds in a bucket."""
    done = run_example(
        "word_count", "s3://mine/texts/**/*.txt", inside=tmp_path, **environment(cloud)
    )
    assert lines_of(done) == [
        "     500  three",
        "       3  two",
        "       1  one",
        "504 words, 3 different ones, in 3 files",
    ]
    done = run_example("word_count", "s3://mine/none*", inside=tmp_path, **environment(cloud))
    assert refusal(done) == "word_count: s3://mine/none*: there is no such file"


def test_objects_are_compressed_into_objects(cloud: Emulator, tmp_path: Path) -> None:
    """If this fails, results in a bucket get other names or bytes."""
    done = run_example(
        "compress", "s3://mine/texts/**/*.txt", "--into", "s3://mine/packed/{name}.gz",
        inside=tmp_path, **environment(cloud),
    )  # fmt: skip
    assert lines_of(done)[-1].startswith("       3,014 -> ")
    s3 = cloud.client("s3")
    listed = s3.list_objects_v2(Bucket="mine", Prefix="packed/")["Contents"]
    found = {
        one["Key"]: gzip.decompress(s3.get_object(Bucket="mine", Key=one["Key"])["Body"].read())
        for one in listed
    }
    assert found == {f"packed/{Path(name).name}.gz": text for name, text in TEXTS.items()}


def test_a_film_is_read_from_a_bucket(cloud: Emulator, tmp_path: Path) -> None:
    """If this fails, workers need the film on their own disk."""
    done = run_example(
        "film_filter", "s3://mine/film.mp4", "sharp.webm", "--span-frames", "5",
        inside=tmp_path, **environment(cloud),
    )  # fmt: skip
    assert lines_of(done)[0] == "12 frames in 3 spans, all times kept"
