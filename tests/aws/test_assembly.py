"""Objects that many workers write together, on S3, and the requests that this takes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.model import OperationModel

from emulator import Emulator
from mu import (
    NOTHING,
    Assembly,
    ObjectExists,
    UploadGone,
    begin_upload,
    upload_at,
)
from mu.store.s3 import client as adapter
from mu.store.s3.bucket import S3Store

pytestmark = pytest.mark.aws

MIB = 1 << 20
FRONT, END = b"front" * 60, b"end" * 40
BUCKETS = ("jobs", "results")


@pytest.fixture
def stores(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3Store, ...]]:
    """The store of runs and that of the object, in buckets of their own."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    adapter.client.cache_clear()
    s3 = emulator.client("s3")
    for bucket in BUCKETS:
        s3.create_bucket(Bucket=bucket)
    yield tuple(map(S3Store, BUCKETS))
    adapter.client.cache_clear()
    for bucket in BUCKETS:
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
        for one in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
        s3.delete_bucket(Bucket=bucket)


@pytest.fixture
def made(stores: tuple[S3Store, ...]) -> Counter[str]:
    """The calls of the stores' client from now on, by name."""
    calls: Counter[str] = Counter()

    def count(model: OperationModel, **_: Any) -> None:
        calls[model.name] += 1

    adapter.client().meta.events.register("before-call.s3", count)
    return calls


def key_of(run: int) -> str:
    return f"runs/{run}"


def begun(results: S3Store) -> str:
    return begin_upload(results, "out", content_type="video/webm", metadata={"made-from": "film"})


def assembly_of(jobs: S3Store, results: S3Store, name: str, count: int) -> Assembly:
    return Assembly(jobs, f"notes/{name}", count, key_of, upload_at(results.url, "out", name))


def add_all(jobs: S3Store, results: S3Store, name: str, runs: list[bytes]) -> Assembly:
    """Stores and adds all runs, several at a time in any order, some of them twice."""

    def work(run: int) -> None:
        jobs.put(key_of(run), runs[run])
        assembly_of(jobs, results, name, len(runs)).add(run, len(runs[run]), run)

    order = [*range(len(runs)), *range(0, len(runs), 3)]
    random.Random(len(runs)).shuffle(order)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, order))
    return assembly_of(jobs, results, name, len(runs))


@pytest.mark.parametrize("seed", range(4))
def test_many_workers_write_one_object(
    emulator: Emulator, stores: tuple[S3Store, ...], seed: int
) -> None:
    """If this fails, results on AWS are not those of one machine, or have no type."""
    jobs, results = stores
    rng = random.Random(seed)
    sizes = [rng.choice([0, 48_000, MIB, 5 * MIB - 1, 5 * MIB, 11 * MIB]) for _ in range(19)]
    runs = [rng.randbytes(size) for size in sizes]
    name = begun(results)
    assembly = add_all(jobs, results, name, runs)
    whole = assembly.whole()
    assert whole.notes == list(range(19))
    size = assembly.finish(whole, FRONT, END, results, "out", replaces=NOTHING)
    expected = b"".join([FRONT, *runs, END])
    assert results.get("out") == expected
    assert size == len(expected)
    found = emulator.client("s3").head_object(Bucket="results", Key="out")
    assert (found["ContentType"], found["Metadata"]) == ("video/webm", {"made-from": "film"})
    assert not emulator.client("s3").list_multipart_uploads(Bucket="results").get("Uploads")


def test_the_last_step_asks_for_little(stores: tuple[S3Store, ...], made: Counter[str]) -> None:
    """If this fails, the last step of a long film takes longer than that of a short one."""
    jobs, results = stores
    asked = {}
    for count in (9, 40):
        name = begun(results)
        assembly = add_all(jobs, results, name, [b"x" * (2 * MIB)] * count)
        made.clear()
        assembly.finish(assembly.whole(), FRONT, END, results, "out")
        asked[count] = dict(made)
    # The notes; what comes after the front and before the end, which may be two small runs.
    assert asked[40]["GetObject"] <= 1 + 2 * 3
    assert asked[40]["UploadPart"] == 2
    assert asked[40]["ListParts"] == asked[40]["CompleteMultipartUpload"] == 1
    assert sum(asked[40].values()) <= sum(asked[9].values()) + 2


def test_large_runs_pass_through_nobody(stores: tuple[S3Store, ...], made: Counter[str]) -> None:
    """If this fails, workers download what S3 could copy by itself."""
    jobs, results = stores
    name = begun(results)
    for run in range(3):
        jobs.put(key_of(run), bytes(6 * MIB))
        made.clear()
        assembly_of(jobs, results, name, 3).add(run, 6 * MIB)
        assert made["UploadPartCopy"] == 1
        assert made["UploadPart"] == 0


def test_a_condition_that_does_not_hold_changes_nothing(stores: tuple[S3Store, ...]) -> None:
    """If this fails, a job replaces a result that was made from another film."""
    jobs, results = stores
    assembly = add_all(jobs, results, begun(results), [b"one", b"two"])
    results.put("out", b"before")
    whole = assembly.whole()
    with pytest.raises(ObjectExists):
        assembly.finish(whole, FRONT, END, results, "out", replaces=NOTHING)
    assert results.get("out") == b"before"
    # The next attempt knows what it may replace.
    etag = results.look_up("out").etag
    assembly.finish(whole, FRONT, END, results, "out", replaces=etag)
    assert results.get("out") == FRONT + b"onetwo" + END


def test_an_aborted_upload_leaves_nothing(emulator: Emulator, stores: tuple[S3Store, ...]) -> None:
    """If this fails, a failed job costs money, or one that goes on after that cannot finish."""
    jobs, results = stores
    name = begun(results)
    runs = [bytes([run]) * (6 * MIB) for run in range(3)]
    assembly = add_all(jobs, results, name, runs)
    upload_at(results.url, "out", name).abort()
    upload_at(results.url, "out", name).abort()
    assert not emulator.client("s3").list_multipart_uploads(Bucket="results").get("Uploads")
    with pytest.raises(UploadGone):
        upload_at(results.url, "out", name).send(1, [b"late"])
    assembly_of(jobs, results, name, 3).add(1, len(runs[1]), 1)
    assembly.finish(assembly.whole(), FRONT, END, results, "out")
    assert results.get("out") == b"".join([FRONT, *runs, END])


def test_a_part_that_is_missing_is_noticed(stores: tuple[S3Store, ...]) -> None:
    """If this fails, a result is made of a part of another size."""
    _, results = stores
    upload = upload_at(results.url, "out", begun(results))
    upload.send(2, [bytes(5 * MIB)])
    for parts in ([(1, 5 * MIB)], [(2, 5 * MIB - 1)]):
        with pytest.raises(UploadGone):
            upload.complete(parts)
    upload.complete([(2, 5 * MIB)])
    assert results.size("out") == 5 * MIB
