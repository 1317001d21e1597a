"""Both stores behave alike."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mu import (
    NOTHING,
    DirectoryStore,
    MemoryStore,
    NoSuchKey,
    ObjectExists,
    ObjectUrl,
    Range,
    Store,
    StoreDenied,
    StoreError,
    StoreUnavailable,
    look_up,
    open_store,
)
from mu.store.below import StoreBelow
from mu.store.s3 import bucket
from tests.support.processes import wait_until


@pytest.fixture(params=["directory", "memory", "below"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """One store of each kind."""
    if request.param == "memory":
        return MemoryStore()
    whole = DirectoryStore(tmp_path / "store")
    if request.param == "directory":
        return whole
    whole.put("job-2/a", b"of another job")
    return open_store(StoreBelow(whole, "job").url)


def test_objects_are_stored_replaced_listed_and_deleted(store: Store) -> None:
    """If this fails, steps lose or mix up their objects."""
    store.put("a/b/1.txt", b"one")
    store.put("a/c", b"two")
    store.put("a/c", b"three")
    assert store.get("a/c") == b"three"
    assert (store.size("a/c"), store.exists("a/c"), store.exists("a")) == (5, True, False)
    assert store.list() == ["a/b/1.txt", "a/c"]
    assert store.list("a/b") == ["a/b/1.txt"]
    store.delete("a/c")
    store.delete("a/c")
    assert store.list("a/") == ["a/b/1.txt"]


def test_a_list_can_be_read_in_pages(store: Store) -> None:
    """If this fails, a reader of pages misses keys, sees some twice, or is given all at once."""
    keys = [f"a/{number}" for number in range(5)]
    for key in [*keys, "b"]:
        store.put(key, b"")
    seen, after = [], ""
    while page := store.list("a/", after=after, limit=2):
        assert len(page) <= 2
        seen += page
        after = page[-1]
    assert seen == keys
    assert store.list("a/", after="a/2x") == keys[3:]
    assert store.list("a/", limit=0) == []
    assert store.list("a/", after="b") == []


def test_ranges_are_cut_at_the_end(store: Store) -> None:
    """If this fails, a part of an object is read wrongly."""
    store.put("k", b"0123456789")
    assert store.get_range("k", 3, 4) == b"3456"
    assert store.get_range("k", 8, 4) == b"89"


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_what_was_read_may_be_changed(store: Store, size: int) -> None:
    """If this fails, arrays that arrive are read-only, cut, or change what is stored."""
    data = bytes(itertools.islice(itertools.cycle(range(251)), size))
    store.put("k", data)
    for start, length in ((0, size), (1, size - 2), (size - 7, 7), (3, 0)):
        found = memoryview(store.get_writable("k", start, length))
        assert found == data[start : start + length]
        found[:1] = b"x"[:length]
    assert store.get("k") == data
    kept = memoryview(store.get_writable("k", 0, size))
    store.put("k", b"other")
    store.delete("k")
    assert kept == data
    with pytest.raises(NoSuchKey):
        store.get_writable("k", 0, 1)
    store.put("k", data)
    with pytest.raises(StoreError, match="ends before byte"):
        store.get_writable("k", size - 1, 2)


def test_concat_joins_bytes_and_ranges(store: Store) -> None:
    """If this fails, stitch writes a broken file."""
    store.put("k", b"0123456789")
    size = store.concat("out", [b"<", Range("k", 2, 3), Range("k", 8), b">"])
    assert (store.get("out"), size) == (b"<23489>", 7)
    with pytest.raises(StoreError):
        store.concat("bad", [Range("k", 8, 5)])
    with pytest.raises(NoSuchKey):
        store.concat("bad", [Range("none")])
    assert not store.exists("bad")


def test_concat_replaces_only_what_it_may(store: Store) -> None:
    """If this fails, two attempts that race overwrite each other's results."""
    assert store.concat("out", [b"one"], replaces=NOTHING) == 3
    with pytest.raises(ObjectExists):
        store.concat("out", [b"two"], replaces=NOTHING)
    with pytest.raises(ObjectExists):
        store.concat("out", [b"two"], replaces='"some other version"')
    with pytest.raises(NoSuchKey):
        store.concat("none", [b"two"], replaces='"some other version"')
    assert store.get("out") == b"one"
    assert store.list() == ["out"]
    store.concat("out", [b"three"])
    assert store.get("out") == b"three"


def test_memory_keeps_what_a_bucket_keeps() -> None:
    """If this fails, tests with a store in memory say nothing about a store in S3."""
    store = MemoryStore()
    store.concat("out", [b"one"], metadata={"made-from": "film"})
    first = store.look_up("out")
    assert (first.metadata, first.size) == ({"made-from": "film"}, 3)
    store.concat("out", [b"two"], replaces=first.etag)
    with pytest.raises(ObjectExists):
        store.concat("out", [b"three"], replaces=first.etag)
    assert store.look_up("out").etag != first.etag
    with first.open() as file:
        assert file.read() == b"one"


def test_a_source_is_a_file_or_an_object(tmp_path: Path) -> None:
    """If this fails, a step must know where its source lies in order to open it."""
    path = tmp_path / "film"
    path.write_bytes(b"0123")
    found = look_up(str(path))
    assert (found.size, found.etag, dict(found.metadata)) == (4, "", {})
    assert found.open() == str(path)
    store = DirectoryStore(tmp_path)
    assert store.look_up("film").open() == str(path)
    with pytest.raises(NoSuchKey):
        store.look_up("none")


@pytest.mark.parametrize("kind", [MemoryStore, DirectoryStore])
def test_objects_age(kind: type[MemoryStore | DirectoryStore], tmp_path: Path) -> None:
    """If this fails, who watches an object cannot tell that nobody writes it any more."""
    store = kind(tmp_path) if kind is DirectoryStore else kind()
    store.put("old", b"")
    wait_until(lambda: store.look_up("old").age_s > 0.05)
    store.put("old", b"")
    store.put("young", b"")
    wait_until(lambda: store.look_up("young").age_s > 0)
    assert store.look_up("old").age_s >= store.look_up("young").age_s > 0


def test_s3_itself_says_how_old_an_object_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a clock that is wrong ends the calls of a job, or lets them run on."""

    def head_object(**asked: str) -> dict[str, Any]:
        if asked["Key"] == "absent":
            raise ClientError({"Error": {"Code": "403"}}, "HeadObject")
        return {
            "ContentLength": 0,
            "ETag": '"1"',
            "Metadata": {},
            "LastModified": datetime(2001, 1, 1, 12, 0, 0, tzinfo=UTC),
            "ResponseMetadata": {"HTTPHeaders": {"date": "Mon, 01 Jan 2001 12:05:07 GMT"}},
        }

    monkeypatch.setattr(bucket, "client", lambda: SimpleNamespace(head_object=head_object))
    assert bucket.S3Store("b").look_up("lease").age_s == 307
    # A worker of a stack may not list the bucket.
    with pytest.raises(NoSuchKey):
        bucket.S3Store("b", absent_is_forbidden=True).look_up("absent")
    with pytest.raises(StoreDenied):
        bucket.S3Store("b").look_up("absent")


@pytest.mark.parametrize("wrong", ["film", "s3://", "s3://bucket", "s3://bucket/", "http://a/b"])
def test_only_urls_of_objects_are_taken_for_them(wrong: str) -> None:
    """If this fails, a mistyped URL names another object."""
    with pytest.raises(StoreError, match="is not of the form"):
        ObjectUrl.parse(wrong)


def test_a_file_can_be_put(store: Store, tmp_path: Path) -> None:
    """If this fails, remuxed sources do not reach the workers."""
    path = tmp_path / "file"
    path.write_bytes(b"data")
    store.put_file("k", path)
    assert store.get("k") == b"data"


def test_what_is_missing_is_named(store: Store) -> None:
    """If this fails, a missing object looks like some other failure."""
    for act in (store.get, store.size, lambda key: store.get_range(key, 0, 1)):
        with pytest.raises(NoSuchKey, match="no/such"):
            act("no/such")


@pytest.mark.parametrize("key", ["", "/a", "a/../b", "a//b", "."])
def test_keys_cannot_leave_the_store(store: Store, key: str) -> None:
    """If this fails, a key from outside could write anywhere."""
    with pytest.raises(StoreError):
        store.put(key, b"")


def test_a_failed_put_leaves_nothing(tmp_path: Path) -> None:
    """If this fails, half-written objects are taken for whole ones."""
    store = DirectoryStore(tmp_path)
    with pytest.raises(TypeError):
        store.put("k", "not bytes")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_directory_store_opens_again_by_its_url(tmp_path: Path) -> None:
    """If this fails, workers cannot reach the job's objects."""
    DirectoryStore(tmp_path).put("k", b"v")
    assert open_store(DirectoryStore(tmp_path).url).get("k") == b"v"
    with pytest.raises(StoreError):
        open_store("ftp:nowhere")


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        ((), None),
        (("SlowDown",), StoreUnavailable),
        (("InternalError", "AccessDenied"), StoreError),
    ],
)
def test_many_objects_are_deleted_in_few_requests_and_problems_are_told(
    monkeypatch: pytest.MonkeyPatch, codes: tuple[str, ...], error: type[StoreError] | None
) -> None:
    """If this fails, objects stay unnoticed, or a busy S3 looks like a missing right."""
    asked: list[list[str]] = []

    def delete_objects(**request: Any) -> dict[str, Any]:
        some = [one["Key"] for one in request["Delete"]["Objects"]]
        asked.append(some)
        problems = [{"Key": "k", "Code": code} for code in codes]
        return {"Errors": problems} if "00000" in some and problems else {}

    monkeypatch.setattr(bucket, "client", lambda: SimpleNamespace(delete_objects=delete_objects))
    keys = [f"{number:05d}" for number in range(4500)]
    store = bucket.S3Store("b")
    if error is None:
        store.delete_all(keys)
        assert sorted(key for some in asked for key in some) == keys
    else:
        with pytest.raises(StoreError) as caught:
            store.delete_all(keys)
        assert type(caught.value) is error
    assert max(map(len, asked)) == 1000
    asked.clear()
    store.delete_all([])
    assert asked == []
