"""Storing a result under a name that something else may have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from excamera.errors import OutputExists, OutputNewer
from excamera.job.plan import Output, SourceFile
from excamera.lifecycle import results
from mu import MemoryStore, NoSuchKey, Range, Store

SOURCE = SourceFile("s3://in/film.mp4", 0, path="s3://in/film.mp4", modified="2026-02")
OUTPUT = Output("s3://out", "film.webm")


class RacedStore(MemoryStore):
    """A store whose object is removed just before the first conditional write."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions: list[Any] = []

    def concat(self, key: str, parts: Iterable[bytes | Range], **more: Any) -> int:
        self.conditions.append(more["replaces"])
        if len(self.conditions) == 1:
            self.delete(key)
            raise NoSuchKey(key)  # what S3 answers to If-Match if there is nothing
        return super().concat(key, parts, **more)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """The store that results go to."""
    made = MemoryStore()
    monkeypatch.setattr(results, "open_store", lambda _url: made)
    return made


def publish(data: bytes, source: SourceFile = SOURCE, job: str = "job") -> int:
    def write(store: Store, key: str, **more: Any) -> int:
        return store.concat(key, [data], **more)

    return results.publish(OUTPUT, "video/webm", source, job, write)


def test_a_later_upload_of_the_same_source_replaces_the_result(store: MemoryStore) -> None:
    """If this fails, users see the result of an old version of their film."""
    assert publish(b"one") == 3
    later = replace(SOURCE, path="s3://in/film.mp4?versionId=2", modified="2026-03")
    assert publish(b"other", later, "later") == 5
    assert store.get("film.webm") == b"other"


def test_an_earlier_upload_does_not_replace_a_later_result(store: MemoryStore) -> None:
    """If this fails, a slow job overwrites the result of a newer upload."""
    publish(b"new")
    with pytest.raises(OutputNewer, match=r"film\.webm was made from a later upload"):
        publish(b"old", replace(SOURCE, modified="2026-01"), "earlier")
    assert store.get("film.webm") == b"new"


def test_what_is_somebody_elses_is_left_alone(store: MemoryStore) -> None:
    """If this fails, a job destroys a file that it did not make."""
    store.put("film.webm", b"mine")
    with pytest.raises(OutputExists, match="was not made from"):
        publish(b"new")
    assert store.get("film.webm") == b"mine"


def test_a_result_that_is_removed_meanwhile_is_stored_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, tidying the output bucket at the wrong moment makes a job fail."""
    made = RacedStore()
    monkeypatch.setattr(results, "open_store", lambda _url: made)
    store_of_results: MemoryStore = made
    MemoryStore.concat(
        store_of_results, "film.webm", [b"old"], metadata={"excamera-source": "in/film.mp4"}
    )
    etag = made.look_up("film.webm").etag
    assert publish(b"1234567") == 7
    assert made.conditions == [etag, ""]
