"""What a stack learns, in its store: written at the ends of jobs, read by others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
from click.testing import CliRunner

from excamera.cli.cloud import Cloud
from excamera.cli.main import excamera
from excamera.cli.outcome import outcomes
from excamera.errors import CloudUnavailable, NoSuchStack, NotAllowed
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.results import PlanSummary, Prediction
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.lifecycle import learning
from excamera.lifecycle.catalogue import find, record
from excamera.lifecycle.ending import Ended, end_of_job
from excamera.price.film import Film
from excamera.price.learned import Lesson, Model, ModelUnusable
from excamera.price.pace import Pace
from excamera.price.workers import Workers
from mu import Attempt, MemoryStore, Range, TaskRecord

TOLD = {
    "architecture": "x86_64", "memory_mb": {"encode": 1769}, "encode_sizes": [1769], "jobs": 3,
    "parts": {"anchors": {"factor": 2.0, "constants": {"read_s": 0.016}, "jobs": 3, "work": 1234.5,
                          "unit": "s of calls"}},
    "pace": {**asdict(Pace()), "read_s": 0.016, "unknown_s": 1.0},
    "errors": {"seconds": 12.3, "bytes": 40.0}, "problem": None,
}  # fmt: skip

KEY = "model/arm64.json"
WORKERS = Workers(DEFAULT_MEMORY_MB)
MADE = {"key": "f.webm", "size": 1_000_000, "frames": 240, "key_frames": 2, "duration_s": 10.0,
        "video_bytes": 900_000, "sound": "encoded"}  # fmt: skip
PREDICTED = Prediction(50.0, 0.01, 2_000_000, computing_s=20.0, calls_s=30.0, waits=1.0)


def planned(**changes: Any) -> PlanSummary:
    usual = PlanSummary(
        items="", results="", assembly="", frames=240, chunks=12, batches=2, shares=2, spans=0,
        anchored=2, divided=0, batches_at_once=2, shares_at_once=1, threads=0, useful=2,
        concurrency=997, width=1280, height=720, duration_s=10.0, sound=True, indexed_by="packets",
        options=EncodeOptions(crf=30).to_json(), predicted=PREDICTED.to_json(),
    )  # fmt: skip
    return replace(usual, **changes)


def detail(status: str = "SUCCEEDED", **changes: Any) -> dict[str, Any]:
    job = {"job": "j", "input": {"name": "s3://in/f.mp4"}, "output": {"store": "s3://out"},
           "options": EncodeOptions().to_json()}  # fmt: skip
    return {
        "executionArn": "arn:j", "name": "j", "status": status, "input": json.dumps(job),
        "output": json.dumps(MADE) if status == "SUCCEEDED" else None,
        "startDate": 1_000_000, "stopDate": 1_080_000, **changes,
    }  # fmt: skip


def store_of_job(summary: PlanSummary | None = None) -> MemoryStore:
    """A store with the timeline of a job that has ended."""
    store = MemoryStore()
    result = (summary or planned()).to_json()
    times = {"index": 400, "audio": 5000, "stitch": 600, "plan": 300,
             "encode-000000-000000": 30_000, "encode-000001-000000": 30_000}  # fmt: skip
    for task, ms in times.items():
        made = TaskRecord(task, 0, {}, 0.0, result=result if task == "plan" else None)
        key = Attempt(task, 1, ms).key(Keys("j").timeline)
        store.put(key, json.dumps(made.to_json()).encode())
    return store


def ended(store: MemoryStore, **changes: Any) -> tuple[Ended, dict[str, Any]]:
    told = detail(**changes)
    return end_of_job(
        told, store, stack="S", memory_mb=DEFAULT_MEMORY_MB, architecture="arm64"
    ), told


def lesson(job: str) -> Lesson:
    return Lesson(job, {"anchors": (1.5, 100.0)}, {"usd": 0.5})


def test_an_end_tells_predicted_and_actual() -> None:
    """If this fails, predictions of old jobs are forgotten, or what came is another job's."""
    store = store_of_job()
    found, told = ended(store)
    assert found.notice["predicted"] == {"seconds": 50.0, "usd": 0.01, "bytes": 2_000_000}
    cost = found.notice["cost_usd"]
    assert found.notice["actual"] == {"seconds": 80.0, "usd": cost, "bytes": 1_000_000}
    record(found.notice, told, store)
    kept = find("j", store)
    assert kept is not None
    assert kept["predicted"] == found.notice["predicted"]
    # A failed job has no result; of a redriven one nobody knows how long it worked.
    failed, _ = ended(store, status="FAILED", redriveCount=1)
    assert failed.notice["actual"] == {"usd": cost}
    assert "predicted" not in ended(store_of_job(planned(predicted=None)))[0].notice


def test_an_end_tells_the_cost_of_all_sizes() -> None:
    """If this fails, notices and the catalogue tell another cost of a job than its status."""
    options = EncodeOptions().with_texts({"codec": "vp9", "ladder": "720p,480p,360p"}).to_json()
    costs = [
        ended(store_of_job(planned(anchored=0, options=options, rungs=rungs)))[0].notice["cost_usd"]
        for rungs in (0, 3)
    ]
    assert costs[0] < costs[1]


def test_a_job_is_learned_from_by_its_own_options() -> None:
    """If this fails, uploads whose metadata asks for other options teach wrong factors."""
    store = store_of_job()
    found = learning.lesson_of_end(*ended(store), WORKERS)
    assert found is not None
    assert set(found.told) == {"anchors", "audio", "bits", "stitch", "survey", "waits"}
    other = learning.lesson_of_end(
        *ended(store_of_job(planned(options=EncodeOptions(crf=10).to_json()))), WORKERS
    )
    assert other is not None
    assert other.told["bits"][0] < 0.5 * found.told["bits"][0]


@pytest.mark.parametrize(
    ("summary", "changes"),
    [
        (planned(), {"status": "FAILED"}),
        (planned(), {"status": "ABORTED"}),
        (planned(), {"redriveCount": 1}),
        (planned(options={}), {}),
    ],
)
def test_some_jobs_teach_nothing(summary: PlanSummary, changes: dict[str, Any]) -> None:
    """If this fails, a half-done job makes the stack look fast."""
    assert learning.lesson_of_end(*ended(store_of_job(summary), **changes), WORKERS) is None


def test_an_end_is_looked_at_once_however_large_the_job() -> None:
    """If this fails, learning lists the timeline of a job of 200,000 calls a second time."""

    class Counting(MemoryStore):
        lists = gets = 0

        def list(self, prefix: str = "", **given: Any) -> list[str]:
            self.lists += 1
            return super().list(prefix, **given)

        def get(self, key: str) -> bytes:
            self.gets += 1
            return super().get(key)

    store = Counting()
    full = store_of_job()
    for key in full.list():
        store.put(key, full.get(key))
    found = ended(store)
    assert learning.lesson_of_end(*found, WORKERS) is not None
    assert (store.lists, store.gets) == (1, 1)  # the timeline, and the plan's record


def test_jobs_that_end_together_are_all_learned() -> None:
    """If this fails, of two jobs that end at the same moment one is forgotten."""
    collisions = threading.Barrier(2)

    class Slow(MemoryStore):
        """Both read before one writes; the first time, that is."""

        def concat(
            self, key: str, parts: Iterable[bytes | bytearray | memoryview | Range], *,
            content_type: str = "", metadata: Mapping[str, str] | None = None,
            replaces: str | None = None,
        ) -> int:  # fmt: skip
            try:
                collisions.wait(timeout=5)
            except threading.BrokenBarrierError:
                pass  # the other one has done its work
            else:
                collisions.abort()
            return super().concat(key, parts, replaces=replaces)

    store = Slow()
    both = [
        threading.Thread(target=learning.learn, args=(lesson(job), store, "arm64"))
        for job in ("a", "b")
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=30)
    found = learning.read(store, "arm64")
    assert found.jobs == 2
    assert {job for job, _ in found.last} == {"a", "b"}
    learning.learn(lesson("a"), store, "arm64")
    assert learning.read(store, "arm64").jobs == 2


@pytest.mark.parametrize("content", [b"no json", b"[]", b'{"version": 2}', b"\xff"])
def test_a_record_of_another_version_is_left_alone(content: bytes) -> None:
    """If this fails, a rollback destroys what the newer version has learned, or ends jobs."""
    store = MemoryStore()
    store.put(KEY, content)
    with pytest.raises(ModelUnusable):
        learning.read(store, "arm64")
    with pytest.raises(ModelUnusable):
        learning.learn(lesson("a"), store, "arm64")
    assert store.get(KEY) == content
    learning.forget(store, "arm64")
    learning.learn(lesson("a"), store, "arm64")
    assert learning.read(store, "arm64").jobs == 1


def test_architectures_are_learned_apart() -> None:
    """If this fails, a stack that moves to other processors predicts by those of before."""
    store = MemoryStore()
    learning.learn(lesson("a"), store, "arm64")
    assert learning.read(store, "x86_64") == Model()
    assert store.list() == [KEY]


def test_people_see_predicted_beside_actual() -> None:
    """If this fails, the difference that is shown is wrong, or a job without one cannot be."""
    job = {"predicted": {"seconds": 50.0, "usd": 0.02, "bytes": 2000},
           "actual": {"seconds": 60.0, "usd": 0.01, "bytes": None}}  # fmt: skip
    assert dict(outcomes(job)) == {
        "predicted": "50.0 s, $0.0200, 2,000 bytes",
        "actual": "60.0 s (+20%), $0.0100 (-50%)",
    }
    assert dict(outcomes({"predicted": None, "actual": {"seconds": 61.25}})) == {
        "predicted": None, "actual": "61.2 s",
    }  # fmt: skip
    assert dict(outcomes({})) == {"predicted": None, "actual": None}


class Asked:
    """An API that answers each request with the same, or refuses."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.requests: list[str] = []

    def get(self, path: str) -> Any:
        self.requests.append(f"GET {path}")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def delete(self, path: str) -> Any:
        self.requests.append(f"DELETE {path}")
        return {**TOLD, "jobs": 0, "parts": {}, "errors": {}, "problem": None}


def run(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> tuple[Any, list[str]]:
    """Run a command against that API; returns its result and the requests."""
    api = Asked(answer)
    monkeypatch.setattr(Cloud, "api", api)
    monkeypatch.setattr("excamera.cli.estimate.check_input", lambda _source: None)
    film = Film(240, 1280, 720, 10.0)
    monkeypatch.setattr("excamera.cli.estimate.look_at", lambda _source, _audio: film)
    monkeypatch.delenv("EXCAMERA_STACK", raising=False)
    return CliRunner().invoke(excamera, [*arguments]), api.requests


def test_the_command_shows_and_resets(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, users do not see what was learned, or forget it by looking."""
    shown, asked = run(monkeypatch, TOLD, "model")
    assert asked == ["GET /model"]
    assert shown.exit_code == 0, shown.exception
    assert "learned from  3 jobs" in shown.stdout
    assert "off by        time 12%, size 40% (median of the last jobs)" in shown.stdout
    assert "anchors   2.000     3  1,234 s of calls  read_s 0.016" in shown.stdout
    broken, _ = run(monkeypatch, {**TOLD, "problem": "it is of version 2"}, "model")
    assert "the record is ignored: it is of version 2; --reset removes it" in broken.stderr
    reset, asked = run(monkeypatch, TOLD, "model", "--reset")
    assert asked == ["DELETE /model"]
    assert "learned from  0 jobs" in reset.stdout


def test_an_estimate_says_whose_pace_it_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a user takes our constants for what the stack has learned."""
    usual, asked = run(monkeypatch, TOLD, "estimate", "f.mp4")
    assert asked == []
    assert "the constants of another machine" in usual.stdout
    assert "off by" not in usual.stdout

    class Known:
        name = "Films"

    monkeypatch.setattr(Cloud, "stack", Known())
    ours, asked = run(monkeypatch, TOLD, "estimate", "f.mp4", "--stack", "Films")
    assert asked == ["GET /model"]
    assert "3 jobs of Films; off by time 12%, size 40%" in ours.stdout
    for error in (
        CloudUnavailable("no network"),
        NotAllowed("Missing Authentication Token"),
        NoSuchStack("there is no stack Films"),
    ):
        alone, _ = run(monkeypatch, error, "estimate", "f.mp4", "--stack", "Films")
        assert alone.exit_code == 0, alone.exception
        assert str(error) in alone.stderr
        assert alone.stdout == usual.stdout
