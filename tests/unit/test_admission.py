"""Jobs wait until there is room, and no more start than there is room for."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.start.hops import REQUESTS_OF_START
from excamera.job.packing import FRONT, Cut, Limits, capacity_of
from excamera.lifecycle import admission
from excamera.lifecycle.admission import admit, find, forget, queue, turns
from mu import Event, MemoryStore
from tests.support.queues import MB, started_by, wait


def test_what_jobs_leave_to_the_front() -> None:
    """If this fails, encodes take the places in which the API and uploads are served."""
    assert capacity_of(1000) == 1000 - FRONT
    assert capacity_of(10) == 7
    assert capacity_of(1000, 400) == 400
    assert capacity_of(2) == 1


@pytest.mark.parametrize(
    ("concurrency", "granted", "shares", "at_once"),
    [(997, None, 16, (62, 16)), (7, None, 1, (6, 1)), (997, 7, 1, (6, 1)), (997, 1, 1, (1, 1))],
)
def test_a_job_stays_within_its_turn(
    concurrency: int, granted: int | None, shares: int, at_once: tuple[int, int]
) -> None:
    """If this fails, a job starts more workers than were granted to it."""
    limits = Limits(3000, 16, 1, concurrency, granted)
    packing = limits.pack(Cut(batches=40, most_chunks=16, most_pixels=1))
    assert packing.shares == shares
    assert (packing.batches_at_once, packing.shares_at_once) == at_once
    assert limits.workers <= max(1, granted or concurrency)


def test_what_a_job_could_use() -> None:
    """If this fails, a turn is larger than its job, or smaller than what the stack allows."""
    limits = Limits(960, 16, 1, 997)
    assert limits.useful(Cut(1, 2, 1)) == 3
    assert limits.useful(Cut(300, 16, 1)) == 961
    assert limits.useful(Cut(300, 1, 1)) == 301


class Noting(MemoryStore):
    """A store that notes the requests to it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def put(self, key: str, data: bytes) -> None:
        self.asked.append(f"put {key}")
        super().put(key, data)

    def put_new(self, key: str, data: bytes) -> bool:
        self.asked.append(f"put new {key}")
        return super().put_new(key, data)

    def get(self, key: str) -> bytes:
        self.asked.append(f"get {key}")
        return super().get(key)

    def look_up(self, key: str) -> Any:
        self.asked.append(f"look up {key}")
        return super().look_up(key)

    def list(self, prefix: str = "") -> Any:
        self.asked.append(f"list {prefix}")
        return super().list(prefix)

    def concat(self, key: str, parts: Any, **more: Any) -> Any:
        self.asked.append(f"concat {key}")
        return super().concat(key, parts, **more)


def test_an_upload_makes_few_requests_until_its_job_starts() -> None:
    """If this fails, the first picture waits for requests that the page docs/start.md leaves out.

    An object that is looked up and opened is two requests to S3. Before these there is one round,
    and after them the request that starts the job.
    """
    store = Noting()
    store.concat("admission/turns.json", [b"{}"])
    store.asked.clear()
    waiting = wait(store, "film", size=MB)
    asked: list[str] = []

    def start(_event: Event, _workers: int) -> bool:
        asked.extend(store.asked)
        return True

    assert admit(store, capacity=997, most=961, start=start, known={"film": waiting}) == ["film"]
    assert asked == [
        "put new admission/jobs/film.json",
        f"put {waiting.entry}",
        "look up admission/turns.json",
        "list admission/queue/",
        "concat admission/turns.json",
    ]
    assert 1 + len(asked) + 1 + 1 == REQUESTS_OF_START


def test_a_job_that_was_just_put_into_the_queue_starts_in_its_order() -> None:
    """If this fails, an upload overtakes jobs that wait, or starts one that was taken out."""
    store = MemoryStore()
    wait(store, "before", at=1)
    mine = wait(store, "mine", at=2)
    found = admit(
        store, capacity=962, most=961, start=lambda _event, _workers: True, known={"mine": mine}
    )
    assert found == ["before"]
    forget(mine, store)
    admission.release("before", store)
    assert (
        admit(
            store, capacity=962, most=961, start=lambda _event, _workers: True, known={"mine": mine}
        )
        == []
    )


def test_first_come_first_served_and_higher_priorities_before() -> None:
    """If this fails, a later job starts before an earlier one, or priorities do nothing."""
    store = MemoryStore()
    wait(store, "second", at=2)
    wait(store, "first", at=1)
    wait(store, "urgent-but-late", at=3, priority=10)
    wait(store, "whenever", at=0, priority=-50)
    assert list(queue(store).values()) == ["urgent-but-late", "first", "second", "whenever"]
    assert started_by(store, 997) == ["urgent-but-late"]
    assert list(queue(store).values()) == ["first", "second", "whenever"]
    assert find("urgent-but-late", store) is None


def test_a_large_job_waits_for_its_part_and_is_not_overtaken() -> None:
    """If this fails, a film crawls along with what another left, or small ones starve it."""
    store = MemoryStore()
    wait(store, "one", at=1)
    wait(store, "two", at=2)
    wait(store, "clip", at=3, size=10)
    assert started_by(store, 997) == ["one"]
    assert turns(store)["one"].workers == 961
    assert started_by(store, 997) == []  # 36 are free: the clip could start, but it is not next
    assert admission.shrink("one", 1, store)
    assert started_by(store, 997) == ["two", "clip"]
    assert turns(store)["clip"].workers == 2
    assert sum(turn.workers for turn in turns(store).values()) <= 997


def test_a_job_that_can_use_little_starts_beside_others() -> None:
    """If this fails, many small films are encoded one after the other."""
    store = MemoryStore()
    for number in range(40):
        wait(store, f"clip-{number:02d}", at=number, size=100_000)
    assert len(started_by(store, 7)) == 2
    assert len(started_by(store, 997)) == 38


def test_something_always_starts() -> None:
    """If this fails, a stack in a tiny account, or with no free place, waits for ever."""
    store = MemoryStore()
    wait(store, "film")
    assert started_by(store, 1) == ["film"]
    assert turns(store)["film"].workers == 1


def test_a_plan_returns_what_its_job_cannot_use() -> None:
    """If this fails, a small job keeps the account's workers from others until it ends."""
    store = MemoryStore()
    wait(store, "short", at=1)
    wait(store, "next", at=2)
    assert started_by(store, 997) == ["short"]
    assert admission.settle("short", 20, store, capacity=997) == (20, True)
    assert started_by(store, 997) == ["next"]
    # Its own frames turned out to be many; nobody waits, so it takes what is left.
    assert turns(store)["next"].workers == 961
    admission.release("short", store)
    admission.shrink("next", 100, store)
    assert admission.settle("next", 5000, store, capacity=997) == (997, False)
    wait(store, "third", at=3)
    admission.shrink("next", 100, store)
    assert admission.settle("next", 5000, store, capacity=997) == (100, True)


def test_a_job_that_somebody_started_by_hand_gets_what_is_left() -> None:
    """If this fails, an execution that no queue knows takes the workers of others."""
    store = MemoryStore()
    wait(store, "usual")
    started_by(store, 997)
    assert admission.settle("by-hand", 5000, store, capacity=997) == (36, False)
    assert admission.settle("another", 5000, store, capacity=997)[0] == 2


CUT = Cut(batches=15 * 60 * 24 // 192, most_chunks=16, most_pixels=192 * 1920 * 1080)
ENCODE_S, PLAN_S, STITCH_S = 3.0, 4.0, 20.0


def simulated(films: int, capacity: int) -> tuple[float, float, int]:
    """Plays films of a quarter of an hour, uploaded together, by a clock of its own.

    Returns:
        When the first and the last of them ended, in seconds, and the most workers that ran.
    """
    store, limits = MemoryStore(), Limits(960, 16, 1, capacity)
    for number in range(films):
        wait(store, f"film-{number:02d}", at=number)
    events: list[tuple[float, str, str]] = []
    now, ends, most = 0.0, [], 0
    while True:
        begun = admit(
            store,
            capacity=capacity,
            most=961,
            start=lambda _event, _workers: True,
            clock=lambda: 0.0,
        )
        for job in begun:
            heapq.heappush(events, (now + PLAN_S, "planned", job))
        most = max(most, sum(turn.workers for turn in turns(store).values()))
        if not events:
            return ends[0], ends[-1], most
        now, what, job = heapq.heappop(events)
        if what == "planned":
            granted, _ = admission.settle(job, limits.useful(CUT), store, capacity=capacity)
            packing = replace(limits, granted=granted).pack(CUT)
            at_once = packing.batches_at_once * packing.shares_at_once
            rounds = -(-CUT.batches * packing.shares // at_once)
            heapq.heappush(events, (now + rounds * ENCODE_S, "encoded", job))
        elif what == "encoded":
            admission.shrink(job, 1, store)
            heapq.heappush(events, (now + STITCH_S, "stitched", job))
        else:
            admission.release(job, store)
            ends.append(now)


def test_forty_films_of_a_quarter_of_an_hour() -> None:
    """If this fails, films that are uploaded together are refused workers, or waste them."""
    capacity = capacity_of(1000)
    alone, _, _ = simulated(1, capacity)
    first, last, most = simulated(40, capacity)
    assert most <= capacity
    assert first == alone
    # While one film is stitched, the next is encoded; only plans are not hidden.
    assert last < first + 39 * (alone - STITCH_S) + 1
