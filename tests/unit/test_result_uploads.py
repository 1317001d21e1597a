"""The upload that workers write a result with: begun once, and aborted when a job ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from excamera.job.objects import Keys
from excamera.job.plan import Output, Plan
from excamera.lifecycle import cancel, result_uploads, results
from mu import MemoryStore, StoreDenied
from tests.unit.test_segments import plan_of

KEYS = Keys("film-1")
PLAN = replace(plan_of([0], 100), output=Output("s3://out", "film.webm"))


class Uploads:
    """Stands for S3: uploads by their names, and which of them are aborted."""

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.aborted: list[str] = []
        self.denies = False

    def begin(self, _store: object, key: str, **more: Any) -> str:
        self.begun.append({"key": key, **more})
        return f"upload {len(self.begun)}"

    def at(self, _url: str, _key: str, name: str) -> Uploads:
        self._named = name
        return self

    def abort(self) -> None:
        if self.denies:
            raise StoreDenied("may not abort")
        self.aborted.append(self._named)


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> Uploads:
    """What takes the place of S3."""
    made = Uploads()
    monkeypatch.setattr(results, "begin_upload", made.begin)
    monkeypatch.setattr(results, "open_store", lambda _url: None)
    monkeypatch.setattr(result_uploads, "upload_at", made.at)
    return made


def begun(store: MemoryStore, plan: Plan = PLAN) -> str:
    return result_uploads.begin_upload(plan, "video/webm", store, KEYS)


def test_a_plan_that_is_made_again_uses_the_first_upload(uploads: Uploads) -> None:
    """If this fails, a retried plan loses the parts that workers have sent already."""
    store = MemoryStore()
    assert begun(store) == begun(store) == "upload 1"
    [one] = uploads.begun
    assert (one["key"], one["content_type"]) == ("film.webm", "video/webm")
    assert one["metadata"]["excamera-job"] == "film-1"


def test_of_two_plans_at_once_the_first_record_counts(uploads: Uploads) -> None:
    """If this fails, half of the parts are in an upload that nobody completes."""

    class Raced(MemoryStore):
        def put_new(self, key: str, data: Any) -> bool:
            self.put(key, json.dumps({"name": "theirs"}).encode())
            return super().put_new(key, data)

    assert begun(Raced()) == "theirs"


def test_another_plan_has_another_upload(uploads: Uploads) -> None:
    """If this fails, a late worker of an earlier plan spoils the parts of this one."""
    store = MemoryStore()
    assert begun(store) != begun(store, replace(PLAN, even=0.25))


def test_a_result_that_stays_needs_no_upload(uploads: Uploads) -> None:
    """If this fails, encodes on one machine ask for S3."""
    assert begun(MemoryStore(), replace(PLAN, output=None)) == ""
    assert uploads.begun == []


def test_all_uploads_of_a_job_are_aborted_once(uploads: Uploads) -> None:
    """If this fails, a failed job's parts cost money, or a redriven job finds a dead upload."""
    store = MemoryStore()
    begun(store)
    begun(store, replace(PLAN, even=0.25))
    result_uploads.abort_uploads(store, KEYS)
    assert sorted(uploads.aborted) == ["upload 1", "upload 2"]
    result_uploads.abort_uploads(store, KEYS)
    assert len(uploads.aborted) == 2
    assert begun(store) == "upload 3"


def test_a_sweep_aborts_before_it_removes(uploads: Uploads) -> None:
    """If this fails, nobody knows the uploads of a cancelled job any more."""
    store = MemoryStore()
    store.put(f"{KEYS.prefix}/chunks/1", b"")
    begun(store)
    cancel.sweep(store, KEYS)
    assert uploads.aborted == ["upload 1"]
    assert store.list(f"{KEYS.prefix}/") == []


@pytest.mark.parametrize("denies", [False, True])
def test_a_worker_leaves_what_it_may_not_abort(uploads: Uploads, *, denies: bool) -> None:
    """If this fails, a worker of a cancelled job removes the only trace of an upload."""
    store, uploads.denies = MemoryStore(), denies
    store.put(f"{KEYS.prefix}/chunks/1", b"")
    begun(store)
    cancel.forget(store, KEYS)
    assert store.list(f"{KEYS.prefix}/") == ([KEYS.upload_of(PLAN.digest)] if denies else [])
