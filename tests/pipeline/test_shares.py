"""The shares in which batches are encoded: any number of them gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from excamera.errors import PlanMismatch
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.steps.encode import encode
from excamera.steps.pictures import Pictures
from mu import DirectoryStore, Executor, MemoryStore, each
from tests.pipeline.by_hand import JobByHand
from tests.pipeline.clips import Clip

MODES = ("anchors", "rebase")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of two batches, the second shorter than the first."""
    return Clip(frames=29).write(tmp_path_factory.mktemp("shares") / "a.mp4")


def options(mode: str) -> EncodeOptions:
    """Batches of four chunks."""
    return EncodeOptions(chunk_frames=5, batch_chunks=4, crf=30, mode=mode)


def planned(source: Path, mode: str) -> JobByHand:
    """A job of that film, with nothing encoded."""
    return JobByHand(source, options(mode), MemoryStore())


@pytest.fixture(scope="module")
def usual(source: Path) -> dict[str, bytes]:
    """The result by mode, if one worker with one thread encodes each batch."""
    found = {}
    for mode in MODES:
        job = planned(source, mode)
        job.run(shares=1)
        found[mode] = job.result
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("shares", "threads"), [(1, 3), (2, 1), (3, 2), (4, 1)])
def test_shares_and_threads_do_not_change_the_result(
    source: Path, usual: dict[str, bytes], mode: str, shares: int, threads: int
) -> None:
    """If this fails, a film's bytes depend on how many workers there were for it."""
    job = planned(source, mode)
    job.run(shares=shares, threads=threads)
    assert job.result == usual[mode]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shares", [1, 2])
def test_pictures_that_do_not_fit_are_read_again(
    source: Path,
    usual: dict[str, bytes],
    mode: str,
    shares: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, a worker with little memory fails, or encodes other pictures."""
    kept: list[bool] = []
    fit = Pictures.__init__

    def noted(self: Pictures[object], *arguments: object) -> None:
        fit(self, *arguments)  # type: ignore[arg-type]
        kept.append(self.fit)

    monkeypatch.setattr(Pictures, "__init__", noted)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")
    job = planned(source, mode)
    job.run(shares=shares, threads=2)
    assert kept
    assert not any(kept)
    assert job.result == usual[mode]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shares", [1, 2])
def test_no_picture_is_kept_for_nobody(
    source: Path, mode: str, shares: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a worker that joins holds all pictures of its batch to the end."""
    made: list[Pictures[object]] = []
    begin = Pictures.__init__

    def noted(self: Pictures[object], *arguments: object) -> None:
        begin(self, *arguments)  # type: ignore[arg-type]
        made.append(self)

    monkeypatch.setattr(Pictures, "__init__", noted)
    planned(source, mode).run(shares=shares)
    assert made
    assert all(one.fit and not one._kept for one in made)


@pytest.mark.parametrize("mode", MODES)
def test_one_share_leaves_nothing_but_the_joined_batch(source: Path, mode: str) -> None:
    """If this fails, each batch costs requests for objects that nobody reads."""
    job = planned(source, mode)
    before = set(job.job.store.list())
    job.encode(0, 0, 1)
    cluster = job.job.keys.cluster(0)
    left = set(job.job.store.list()) - before - {cluster, Keys.record(cluster)}
    # What is noted of it for the result.
    [note] = left
    assert note.startswith(job.job.keys.assembly(job.job.plan.digest))


@pytest.mark.parametrize("mode", MODES)
def test_whoever_ends_last_joins(source: Path, usual: dict[str, bytes], mode: str) -> None:
    """If this fails, a batch is never joined if its shares end in another order."""
    job = planned(source, mode)
    if mode == "anchors":
        job.call("anchors", {"batch": 0})
    cluster = job.job.keys.cluster(0)
    for share in (2, 0):
        job.encode(0, share, 3)
        assert not job.job.store.exists(cluster)
    job.encode(0, 1, 3)
    assert job.job.store.exists(cluster)
    job.run(shares=3)
    assert job.result == usual[mode]


@pytest.mark.parametrize("mode", MODES)
def test_a_worker_that_died_before_it_joined_is_replaced(
    source: Path, usual: dict[str, bytes], mode: str
) -> None:
    """If this fails, a job hangs or fails because all shares were stored, but not the batch."""
    job = planned(source, mode)
    job.run(shares=2)
    store, cluster = job.job.store, job.job.keys.cluster(0)
    stored = {key: store.get(key) for key in store.list(job.job.keys.shares(0, 2))}
    store.delete(cluster)
    job.encode(0, 0, 2)
    assert not store.exists(cluster)  # the other had said that it would join
    job.encode(0, 1, 2)
    assert store.exists(cluster)
    assert {key: store.get(key) for key in store.list(job.job.keys.shares(0, 2))} == stored
    job.run(shares=2)
    assert job.result == usual[mode]


@pytest.mark.parametrize("mode", MODES)
def test_a_job_that_begins_again_may_have_other_shares(
    source: Path, usual: dict[str, bytes], mode: str
) -> None:
    """If this fails, a job fails that was refused workers and goes on with half as many."""
    job = planned(source, mode)
    if mode == "anchors":
        job.call("anchors", {"batch": 0})
    for share in range(3):
        job.encode(0, share, 4)
    job.run(shares=2)
    assert job.result == usual[mode]


def test_workers_that_end_together_store_the_same(
    source: Path, usual: dict[str, bytes], tmp_path: Path
) -> None:
    """If this fails, two workers that both join a batch, or encode the same share, spoil it."""
    store = DirectoryStore(tmp_path)
    job = JobByHand(source, options("anchors"), store)
    job.call("anchors", {"batch": 0})
    events = [
        {"job": job.job.keys.job, "batch": 0, "share": share % 2, "of": 2, "threads": 1}
        for share in range(4)
    ]
    with Executor(workers=4, store=store) as executor:
        executor.start(each("$.events", encode), {"events": events}).result()
    job.run(shares=2)
    assert job.result == usual["anchors"]


@pytest.mark.parametrize("mode", MODES)
def test_a_share_of_another_plan_is_refused(source: Path, mode: str) -> None:
    """If this fails, a stale share ends up in the film."""
    job = planned(source, mode)
    if mode == "anchors":
        job.call("anchors", {"batch": 0})
    job.encode(0, 0, 2)
    key = Keys.record(job.job.keys.share(0, 2, 0))
    record = json.loads(job.job.store.get(key))
    job.job.store.put(key, json.dumps({**record, "plan": "another"}).encode())
    with pytest.raises(PlanMismatch, match="share 0 of batch 0 is of another plan"):
        job.encode(0, 1, 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shares", [1, 2])
def test_a_worker_that_ends_after_its_copy_changes_nothing(
    source: Path, usual: dict[str, bytes], mode: str, shares: int
) -> None:
    """If this fails, the slow original of a call that was copied spoils a finished film."""
    job = planned(source, mode)
    job.run(shares=shares)
    before = {key: job.job.store.get(key) for key in job.job.store.list()}
    for batch in job.job.plan.batches:
        for share in range(min(shares, len(batch.chunks))):
            job.encode(batch.number, share, min(shares, len(batch.chunks)))
    assert {key: job.job.store.get(key) for key in job.job.store.list()} == before
    assert job.result == usual[mode]
