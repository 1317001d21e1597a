"""Records of jobs that are stored while they run: what is kept, listed and told of their ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from mu import DirectoryStore, Executor, MemoryStore, StoreUnavailable, TaskFailed, TaskRecord, each
from mu.timelines import JobRecord, Timelines, TimelineWriter


def halved(number: int) -> float:
    """Halves even numbers."""
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number / 2


def halved_of(event: dict[str, Any]) -> float:
    """The same in a flow."""
    return halved(event["n"])


def long(_number: int) -> None:
    """Ends only if somebody ends it."""
    signal.pause()


def record(name: str, number: int = 0, error: str | None = None) -> TaskRecord:
    """A task that has ended."""
    return TaskRecord(name, number, {}, 10.0, 12.5, worker="w", error=error)


def test_calls_are_stored_as_they_end(tmp_path: Path) -> None:
    """If this fails, nobody sees from elsewhere what an executor's calls do."""
    store = DirectoryStore(tmp_path)
    jobs = Timelines(store)
    with Executor(workers=2, store=store, retries=1, timeline="halves") as ex:
        assert ex.submit(halved, 8).result() == 4
        now = jobs.job("halves")
        assert now is not None
        assert (now.state, now.ended) == ("running", None)
        [first], _ = jobs.records("halves")
        assert (first.name, first.number, first.error) == ("halved", 0, None)
        with pytest.raises(TaskFailed):
            ex.submit(halved, 7).result()
    found, _ = jobs.records("halves")
    assert [(one.number, one.attempts, one.error) for one in found] == [
        (0, 1, None), (1, 1, "ValueError"), (1, 2, "ValueError"),
    ]  # fmt: skip
    [job] = jobs.page()[0]
    assert (job.name, job.state, job.lost) == ("halves", "succeeded", 0)
    assert job.ended is not None
    assert job.began <= min(one.started for one in found)
    assert job.ended >= max(one.finished or 0 for one in found)


def test_a_flow_says_how_it_ended(tmp_path: Path) -> None:
    """If this fails, a failed job looks as one that runs, or as one that went well."""
    store = DirectoryStore(tmp_path)
    jobs = Timelines(store, "nightly")
    flow = each("$.items", halved_of)
    with Executor(workers=2, store=store) as ex:
        ex.start(flow, {"items": [{"n": 2}, {"n": 4}]}, timeline="nightly/well").result()
        with pytest.raises(TaskFailed):
            ex.start(flow, {"items": [{"n": 3}]}, timeline="nightly/badly").result()
    well, badly = jobs.job("well"), jobs.job("badly")
    assert well is not None
    assert badly is not None
    assert (well.state, well.error) == ("succeeded", "")
    assert badly.state == "failed"
    assert "3 is odd" in badly.error
    assert {one.error for one in jobs.records("badly")[0]} == {"ValueError"}


def test_what_is_stopped_says_so(tmp_path: Path) -> None:
    """If this fails, a job that Ctrl-C has ended runs for ever in every list."""
    store = DirectoryStore(tmp_path)

    def interrupted() -> None:
        with Executor(workers=1, store=store, timeline="a") as ex:
            ex.start(each("$.items", long), {"items": [1]}, timeline="b")
            ex.submit(long, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {one.name: one.state for one in Timelines(store).page()[0]} == {
        "a": "stopped", "b": "stopped",
    }  # fmt: skip


def test_an_executor_says_where_records_would_be_lost() -> None:
    """If this fails, records are asked for, and go with the executor's own folder."""
    with pytest.raises(ValueError, match="store="):
        Executor(timeline="gone")


def test_any_name_can_be_stored() -> None:
    """If this fails, a function's or an error's name breaks a job, or hides its record."""
    store = MemoryStore()
    writer = TimelineWriter(store, "all")
    names = ["<lambda>", "a/b", "..", "f.<locals>.g", "\u202e\ud800", "x" * 300, "каша"]
    for number, name in enumerate(names):
        writer.add(record(name, number, error=f"{name}Error"))
    writer.end("succeeded")
    found, _ = Timelines(store).records("all")
    assert sorted(one.name for one in found) == sorted(names)
    assert all(len(part) < 256 for key in store.list() for part in key.split("/"))


def test_lists_have_the_latest_first_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, old jobs hide new ones, or a page repeats or leaves out a job."""
    store = MemoryStore()
    clock = iter(range(1_000_000_000, 2_000_000_000, 7_654_321))
    monkeypatch.setattr("mu.timelines.time.time", lambda: float(next(clock)))
    for number in range(7):
        TimelineWriter(store, f"mu/job-{number}").add(record("t", number))
    store.put("mu/.jobs/0000000000000-broken.json", b"{")
    store.put("mu/.jobs/notes.txt", b"")
    jobs = Timelines(store, "mu")
    seen: list[JobRecord] = []
    after, pages = "", 0
    while pages == 0 or after:
        some, after = jobs.page(after, 3)
        seen += some
        pages += 1
    assert pages == 3
    assert [one.name for one in seen] == [f"job-{number}" for number in range(6, -1, -1)]
    for wrong in ("x", "../a", "1234567890123-a/b"):
        with pytest.raises(ValueError, match="list"):
            jobs.page(wrong)
    # Who begins a job again has one of this name, and it is the latest.
    TimelineWriter(store, "mu/job-2")
    assert [one.name for one in jobs.page()[0]][:2] == ["job-2", "job-6"]
    assert len(jobs.page()[0]) == 7


def test_records_are_told_page_by_page() -> None:
    """If this fails, a job of many tasks is shown with a part of them."""
    store = MemoryStore()
    writer = TimelineWriter(store, "a")
    for number in range(25):
        writer.add(record("t", number))
    store.put("a/notes.txt", b"not a record")
    store.put("a/t-99/1-5ms-done.json", b"[]")
    jobs = Timelines(store)
    seen: list[int] = []
    after = ""
    for _ in range(4):
        some, after = jobs.records("a", after, 10)
        seen += [one.number for one in some]
        if not after:
            break
    assert sorted(seen) == list(range(25))
    with pytest.raises(ValueError, match="this job"):
        jobs.records("a", "notes.txt")
    assert jobs.job("b") is None
    assert jobs.records("b") == ([], "")


class Slow(MemoryStore):
    """A store that answers late, and not at all for some."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def put(self, key: str, data: Any) -> None:
        """Store, when it is time."""
        if "/t-" in key:
            assert self.open.wait(30)
            if "/t-3/" in key:
                raise StoreUnavailable("busy")
        super().put(key, data)


def test_a_late_store_keeps_nobody_waiting() -> None:
    """If this fails, each call of a stack waits for its record, or a lost one is not told."""
    store = Slow()
    writer = TimelineWriter(store, "a", 4)
    for number in range(9):
        writer.add(record("t", number))
    assert store.list("a/") == []
    store.open.set()
    writer.end("succeeded")
    assert len(store.list("a/")) == 8
    job = Timelines(store).job("a")
    assert job is not None
    assert (job.state, job.lost) == ("succeeded", 1)
    writer.add(record("t", 10))  # too late
    writer.end("failed")
    assert len(store.list("a/")) == 8
    assert json.loads(store.get(store.list(".jobs/")[0]))["state"] == "succeeded"


def test_calls_go_on_if_records_cannot_be_stored(tmp_path: Path) -> None:
    """If this fails, a full disk loses results, not only what is told about them."""
    store = DirectoryStore(tmp_path)
    with Executor(workers=1, store=store, timeline="a") as ex:
        (tmp_path / "a").write_text("a file where its folder would be")
        assert ex.submit(os.path.basename, "x/y").result() == "y"
    job = Timelines(store).job("a")
    assert job is not None
    assert (job.state, job.lost) == ("succeeded", 1)
