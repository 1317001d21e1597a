"""`mu.S3Store` on S3, and the requests that it makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ResponseStreamingError
from botocore.model import OperationModel

import mu
from emulator import Emulator
from mu import (
    NOTHING,
    NoSuchKey,
    ObjectChanged,
    ObjectExists,
    Range,
    StoreError,
    StoreUnavailable,
    at_once,
)
from mu.store.s3 import client as adapter
from mu.store.s3 import parallel
from mu.store.s3.bucket import S3Object, S3Store

pytestmark = pytest.mark.aws

MIB = 1 << 20


@pytest.fixture
def store(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A store in a bucket of its own."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    adapter.client.cache_clear()
    emulator.client("s3").create_bucket(Bucket="store")
    yield S3Store("store")
    adapter.client.cache_clear()
    found = emulator.client("s3").list_objects_v2(Bucket="store").get("Contents", ())
    for item in found:
        emulator.client("s3").delete_object(Bucket="store", Key=item["Key"])
    emulator.client("s3").delete_bucket(Bucket="store")


def test_it_behaves_as_the_other_stores(store: S3Store) -> None:
    """If this fails, steps lose or mix up their objects, but only on AWS."""
    store.put("a/b", b"0123456789")
    assert store.get("a/b") == b"0123456789"
    assert (store.size("a/b"), store.exists("a/b"), store.exists("a")) == (10, True, False)
    assert store.get_range("a/b", 8, 4) == b"89"
    assert store.get_range("a/b", 10, 4) == b""
    assert store.put_new("a/b", b"other") is False
    assert store.put_new("a/c", b"new") is True
    assert store.list("a/") == ["a/b", "a/c"]
    with store.look_up("a/b").open() as file:
        assert (file.seek(4), file.read(3)) == (4, b"456")
    store.delete("a/b")
    store.delete("a/b")
    for read in (store.get, store.size):
        with pytest.raises(NoSuchKey):
            read("a/b")


def test_a_replaced_source_is_noticed(store: S3Store) -> None:
    """If this fails, a worker encodes frames of two films into one."""
    store.put("film", b"0123456789")
    film = S3Object.look_up("s3://store/film")
    store.put("film", b"abcdefghij")
    with pytest.raises(StoreError, match="was replaced"):
        film.read_range(0, 4)


@pytest.fixture
def made(store: S3Store) -> Counter[str]:
    """The calls of the store's client from now on, by name; other clients may call S3 meanwhile."""
    calls: Counter[str] = Counter()

    def count(model: OperationModel, **_: Any) -> None:
        calls[model.name] += 1

    adapter.client().meta.events.register("before-call.s3", count)
    return calls


def test_a_part_of_a_list_costs_one_request(store: S3Store, made: Counter[str]) -> None:
    """If this fails, a page of a long list costs as much as the whole."""
    keys = [f"a/{number:04d}" for number in range(1203)]
    at_once(lambda key: store.put(key, b""), [*keys, "b"])
    made.clear()
    assert store.list("a/", after="a/0099", limit=3) == keys[100:103]
    assert store.list("a/", after=keys[-1], limit=3) == []
    assert made == {"ListObjectsV2": 2}
    assert store.list("a/", limit=1100) == keys[:1100]
    assert store.list("a/", after="a/0001") == keys[2:]
    assert made == {"ListObjectsV2": 6}
    store.delete_all(keys)
    assert made["DeleteObjects"] == 2
    assert store.list() == ["b"]


def test_small_pieces_are_read_and_stored_at_once(store: S3Store, made: Counter[str]) -> None:
    """If this fails, short films pay for a multipart upload."""
    store.put("k", b"0123456789")
    made.clear()
    size = store.concat("out", [b"<", Range("k", 2, 3), Range("k", 8), b">"])
    assert made == {"GetObject": 2, "HeadObject": 1, "PutObject": 1}
    assert (store.get("out"), size) == (b"<23489>", 7)


def test_large_pieces_are_copied_by_s3(store: S3Store, made: Counter[str]) -> None:
    """If this fails, stitching a long film moves all of it through one worker."""
    data = bytes(range(256)) * (12 * MIB // 256)
    store.put("large", data)
    size = store.concat("out", [b"head", *[Range("large", 0, 12 * MIB)] * 3, b"tail"])
    # Only what fills up the header's part is read; everything else stays in S3.
    assert made["GetObject"] == 1
    assert made["UploadPartCopy"] == 3
    assert size == 36 * MIB + 8
    assert store.get("out") == b"head" + data * 3 + b"tail"


def test_large_objects_are_written_and_read_in_parts(
    store: S3Store, made: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a large message moves over one connection, or is read of two objects."""
    data = bytes(range(251)) * (41 * MIB // 251)
    store.concat(
        "large", [memoryview(data)[at : at + 8 * MIB] for at in range(0, len(data), 8 * MIB)]
    )
    assert (made["UploadPart"], made["PutObject"]) == (6, 0)
    made.clear()
    found = store.get_writable("large", 5, len(data) - 5)
    assert made == {"GetObject": 6}
    assert found == data[5:]
    found[0] = 9
    made.clear()
    assert store.get_writable("large", 3, 1000) == data[3:1003]
    assert store.get_writable("large", 3, 0) == b""
    assert made == {"GetObject": 1}
    with pytest.raises(StoreError, match="ends before byte"):
        store.get_writable("large", len(data) - 1, 2)
    with pytest.raises(StoreError, match="ends before byte"):
        store.get_writable("large", len(data) + 1, 2)
    with pytest.raises(NoSuchKey):
        store.get_writable("none", 0, 10)
    read = parallel._read

    def replacing(bucket: str, key: str, start: int, into: memoryview, etag: str | None) -> str:
        found = read(bucket, key, start, into, etag)
        if etag is None:
            store.put("large", bytes(len(data)))
        return found

    monkeypatch.setattr(parallel, "_read", replacing)
    with pytest.raises(ObjectChanged, match="large was replaced"):
        store.get_writable("large", 0, len(data))


def test_a_part_whose_answer_breaks_off_is_asked_for_again(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, one broken connection of a hundred costs a whole large message."""
    store.put("k", bytes(range(100)))
    fill, broken = parallel._fill, []

    def breaks(into: memoryview, body: Any) -> int:
        if len(broken) < 2:
            broken.append(fill(into, body))
            raise ResponseStreamingError(error="broken off")
        return fill(into, body)

    monkeypatch.setattr(parallel, "_fill", breaks)
    assert store.get_writable("k", 10, 50) == bytes(range(10, 60))
    broken.clear()
    monkeypatch.setattr(parallel, "_ATTEMPTS", 2)
    with pytest.raises(StoreUnavailable, match="broken off"):
        store.get_writable("k", 10, 50)


@pytest.mark.parametrize("count", [1, 3])
def test_a_condition_that_does_not_hold_changes_nothing(
    emulator: Emulator, store: S3Store, count: int
) -> None:
    """If this fails, two racing attempts overwrite each other, or leave parts behind."""
    store.put("part", bytes(6 * MIB))
    store.put("out", b"before")
    with pytest.raises(ObjectExists):
        store.concat("out", [Range("part")] * count, replaces=NOTHING)
    assert store.get("out") == b"before"
    uploads = emulator.client("s3").list_multipart_uploads(Bucket="store")
    assert not uploads.get("Uploads")


def test_the_first_error_is_the_one_told(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a role that may not abort uploads hides why a join failed."""
    store.put("part", bytes(12 * MIB))

    def forbidden(**_: Any) -> None:
        raise RuntimeError("may not abort")

    monkeypatch.setattr(adapter.client(), "abort_multipart_upload", forbidden)
    with pytest.raises(NoSuchKey):
        store.concat("out", [Range("part"), Range("none", 0, 6 * MIB)])


def test_commands_read_and_write_objects(store: S3Store) -> None:
    """If this fails, a program cannot be run over the objects of a bucket."""
    for key in ("logs/a %41?.json", "logs/c.json", "logs/d/e.json", "logs/f.txt", "log/g.json"):
        store.put(key, key.encode())
    found = mu.files("s3://store/logs/*.json")
    assert found == ["s3://store/logs/a%20%2541%3F.json", "s3://store/logs/c.json"]
    assert mu.files("s3://store/logs/**/[e]*.json") == ["s3://store/logs/d/e.json"]
    copy = mu.Command(["cp", mu.input("src"), mu.output("out")])
    with mu.Executor(workers=2) as executor:
        done = list(executor.map(copy, found, into="s3://store/z/{stem}.{index}"))
        (failed,) = executor.map(
            copy, ["s3://store/none"], into="s3://store/z/none", return_exceptions=True
        )
    assert [one.files["out"] for one in done] == ["s3://store/z/a%20%2541%3F.0", "s3://store/z/c.1"]
    assert store.list("z/") == ["z/a %41?.0", "z/c.1"]
    assert store.get("z/a %41?.0") == b"logs/a %41?.json"
    assert "NoSuchKey" in str(failed)
