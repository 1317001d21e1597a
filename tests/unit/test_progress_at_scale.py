"""What the API tells of jobs with many tasks, and how much it asks for."""

from __future__ import annotations

import bisect
import json
import random

import pytest

from excamera.job.objects import Keys
from excamera.job.results import PlanSummary
from excamera.job.steps import task_name
from excamera.job.tally import Tally, work_of_batch
from functions.api.so_far import FEW, so_far
from mu import Assembly, Attempt, MemoryStore, TaskRecord
from mu.timeline import attempts

KEYS = Keys("j")
SHARES = 10


class Counting(MemoryStore):
    """A store that lists quickly, in pages as S3 does, and counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[str] = []
        self.asked = 0

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        if not super().exists(key):
            bisect.insort(self._sorted, key)
        super().put(key, data)

    def list(self, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
        first = max(
            bisect.bisect_left(self._sorted, prefix), bisect.bisect_right(self._sorted, after)
        )
        end = bisect.bisect_right(self._sorted, f"{prefix}\U0010ffff", lo=first)
        found = self._sorted[first:end][:limit]
        self.asked += 1 + max(0, len(found) - 1) // 1000
        return found

    def get(self, key: str) -> bytes:
        self.asked += 1
        return super().get(key)

    def exists(self, key: str) -> bool:
        self.asked += 1
        return super().exists(key)


def planned(batches: int) -> PlanSummary:
    """A plan of batches that all have several shares."""
    return PlanSummary(
        items="", results="", assembly="jobs/j/assembly/p/u", frames=batches * 96,
        chunks=batches * 16, batches=batches, shares=batches * SHARES, spans=2, anchored=batches,
        divided=batches, batches_at_once=10, shares_at_once=SHARES, threads=0, useful=10,
        concurrency=None,
        width=64, height=64, duration_s=1.0, sound=False, indexed_by="packets",
    )  # fmt: skip


def note(store: MemoryStore, step: str, ms: int, result: object = None, **event: int) -> None:
    """Leaves the record of a task in the timeline."""
    record = TaskRecord(step, 0, dict(event), 0.0, ms / 1000, result=result)
    key = Attempt(task_name(step, event), 1, ms).key(KEYS.timeline)
    store.put(key, json.dumps(record.to_json()).encode())


def job(batches: int, joined: set[int], seed: int = 0) -> Counting:
    """A job of which some batches are joined."""
    store, generator = Counting(), random.Random(seed)
    plan = planned(batches)
    note(store, "index", 700)
    for span in range(2):
        note(store, "survey", 900, span=span)
    note(store, "plan", 400, plan.to_json())
    assembly = Assembly(store, plan.assembly, batches, KEYS.cluster)
    for batch in sorted(joined, key=lambda _: generator.random()):
        ahead, times = generator.randrange(100, 900), []
        note(store, "anchors", ahead, batch=batch)
        for share in range(SHARES):
            times.append(generator.randrange(1000, 9000))
            note(store, "encode", times[-1], batch=batch, share=share)
        store.put(Keys.record(KEYS.cluster(batch)), b"")
        work = work_of_batch(SHARES, sum(times) / 1000, ahead / 1000)
        assembly.add(batch, 10, None, work)
    return store


@pytest.mark.parametrize("share", [0.3, 0.97, 1.0])
def test_what_the_workers_counted_is_what_the_timeline_says(share: float) -> None:
    """If this fails, a large job is told another cost or progress than a small one would be."""
    batches = 400
    joined = set(random.Random(7).sample(range(batches), round(share * batches)))
    store = job(batches, joined)
    listed = store.list(f"{KEYS.timeline}/")
    assert len(listed) > FEW
    expected = Tally.of(attempts(KEYS.timeline, listed))
    found = so_far(store, KEYS)
    assert found.planned == planned(batches)
    assert found.joined == len(joined)
    told = found.tally
    assert (told.tasks["index"], told.tasks["survey"], told.tasks["plan"]) == (1, 2, 1)
    # If more nodes wait for others than are read, the rest are taken to be like these.
    rel = 1e-6 if share == 1.0 else 0.1
    for step, seconds in expected.seconds.items():
        assert told.seconds[step] == pytest.approx(seconds, rel=rel), step
    for step, count in expected.done.items():
        assert told.done[step] == pytest.approx(count, rel=1e-6), step
    assert told.divided == expected.divided
    assert told.divided_shares == expected.divided_shares


def test_a_small_job_is_counted_exactly() -> None:
    """If this fails, retries and unfinished batches of a usual job are not told."""
    store = job(12, {0, 3, 4})
    note(store, "encode", 500, batch=7, share=0)
    store.put(Attempt("encode-000007-000001", 2, 70, "SourceUnavailable").key(KEYS.timeline), b"")
    found = so_far(store, KEYS)
    expected = Tally.of(attempts(KEYS.timeline, store.list(f"{KEYS.timeline}/")))
    assert (found.tally, found.joined) == (expected, 3)
    assert found.tally.retries == 1


@pytest.mark.parametrize("share", [0.5, 0.999])
def test_two_hundred_thousand_tasks_take_a_few_requests(share: float) -> None:
    """If this fails, each look at a long film costs hundreds of requests, and seconds."""
    batches = 20_000
    joined = set(random.Random(1).sample(range(batches), round(share * batches)))
    store = Counting()
    plan = planned(batches)
    note(store, "plan", 400, plan.to_json())
    assembly = Assembly(store, plan.assembly, batches, KEYS.cluster)
    for batch in sorted(joined):
        note(store, "encode", 1000, batch=batch, share=0)
        assembly.add(batch, 10, None, work_of_batch(SHARES, 1.0, None))
    store.asked = 0
    found = so_far(store, KEYS)
    assert found.joined == len(joined)
    assert found.tally.done["encode"] == pytest.approx(SHARES * len(joined), rel=1e-3)
    assert store.asked <= 125  # sixteen at a time
