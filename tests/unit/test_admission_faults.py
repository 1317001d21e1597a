"""The queue of jobs when requests come twice, are lost or refused, or many change it at once."""

from __future__ import annotations

import random
import threading
import time
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest

from excamera.lifecycle import admission
from excamera.lifecycle.admission import admit, forget, queue, turns
from mu import Event, MemoryStore, ObjectChanged, ObjectExists
from tests.support.queues import MB, started_by, wait


def test_a_request_that_comes_twice_is_one_job() -> None:
    """If this fails, an event that S3 sends twice takes two places in the queue."""
    store = MemoryStore()
    first = wait(store, "film", at=1)
    assert wait(store, "film", at=9) == first
    assert len(queue(store)) == 1
    forget(first, store)
    assert not queue(store)
    assert not store.list()


def test_an_entry_without_a_job_disappears() -> None:
    """If this fails, an event that comes late makes the queue look full for ever."""
    store = MemoryStore()
    waiting = wait(store, "film")
    store.delete("admission/jobs/film.json")
    assert started_by(store, 997) == []
    assert not store.exists(waiting.entry)


def test_a_job_whose_starter_died_is_started_again() -> None:
    """If this fails, a job is lost when its starter dies between its turn and its start."""
    store = MemoryStore()
    wait(store, "film")

    class Killed(BaseException):
        pass

    def die(_event: Event, _workers: int) -> bool:
        raise Killed

    with pytest.raises(Killed):
        started_by(store, 997, start=die)
    # Lambda calls the function again after a minute.
    assert started_by(store, 997, now=1060.0) == ["film"]
    assert list(turns(store)) == ["film"]


def test_a_job_that_cannot_be_started_does_not_hold_up_others() -> None:
    """If this fails, one job that Step Functions refuses keeps all others from starting."""
    store = MemoryStore()
    for number, job in enumerate(("one", "refused", "two")):
        wait(store, job, at=number, size=10)
    asked = []

    def start(event: Event, _workers: int) -> bool:
        asked.append(event["job"])
        if event["job"] == "refused":
            raise RuntimeError("no")
        return True

    with pytest.raises(RuntimeError, match="no"):
        started_by(store, 997, start=start)
    assert asked == ["one", "refused", "two"]
    assert list(queue(store).values()) == ["refused"]
    assert started_by(store, 997, now=1060.0) == ["refused"]  # Lambda's next attempt


def test_a_hundred_jobs_at_once_are_each_started_by_one() -> None:
    """If this fails, uploads that come together ask Step Functions more than it answers.

    Each upload calls a function, and while one starts its jobs, the others see the same queue.
    """
    store = MemoryStore()
    for number in range(100):
        wait(store, f"clip-{number:02d}", at=number, size=10)
    asked: list[str] = []

    def start(event: Event, _workers: int) -> bool:
        asked.append(event["job"])
        if len(asked) < 100:
            started_by(store, 997, start=start)  # another function, at the same time
        return True

    assert len(started_by(store, 997, start=start)) == 100
    assert sorted(asked) == [f"clip-{number:02d}" for number in range(100)]
    assert not queue(store)


def test_a_job_that_has_ended_keeps_no_turn() -> None:
    """If this fails, an event that comes late takes workers for a job that has long ended."""
    store = MemoryStore()
    wait(store, "film")
    assert started_by(store, 997, start=lambda _event, _workers: False) == []
    assert not turns(store)
    assert not queue(store)


def test_turns_of_jobs_that_vanished_end() -> None:
    """If this fails, one lost event of a job's end makes all others wait for ever."""
    store = MemoryStore()
    for number, job in enumerate(("gone", "runs")):
        wait(store, job, at=number, size=0)
    started_by(store, 997)
    admission.reconcile(["runs"], store, clock=lambda: 1060.0)
    assert set(turns(store)) == {"gone", "runs"}  # it may have started just now
    admission.reconcile(["runs"], store, clock=lambda: 1200.0)
    assert set(turns(store)) == {"runs"}


class Forgetful(MemoryStore):
    """The first answer to a change is lost, so that the SDK tries again and is refused."""

    lost = False

    def concat(self, key: str, parts: Any, **more: Any) -> int:
        size = super().concat(key, parts, **more)
        if more.get("replaces") is not None and not self.lost:
            self.lost = True
            raise ObjectExists(key)
        return size


def test_a_lost_answer_starts_the_job_all_the_same() -> None:
    """If this fails, a job waits for minutes because S3's answer to its turn was lost."""
    store = Forgetful()
    wait(store, "film")
    assert started_by(store, 997) == ["film"]


class Unreadable(MemoryStore):
    """The turns are there and may not be read, which S3 tells as if they were replaced."""

    def look_up(self, key: str) -> Any:
        found = super().look_up(key)

        def refuse() -> BinaryIO:
            raise ObjectChanged(key)

        return SimpleNamespace(etag=found.etag, open=refuse)


def test_turns_that_may_not_be_read_are_an_error() -> None:
    """If this fails, a function without a right on the key of a bucket runs until it is killed."""
    store = Unreadable()
    store.put("admission/turns.json", b"{}")
    with pytest.raises(ObjectChanged):
        turns(store)


class Contended(MemoryStore):
    """A store in which others often change the turns between a reading and a writing."""

    def __init__(self) -> None:
        super().__init__()
        self.chance = random.Random(7)

    def concat(self, key: str, parts: Any, **more: Any) -> int:
        if more.get("replaces") is not None and self.chance.random() < 0.5:
            raise ObjectExists(key)
        return super().concat(key, parts, **more)


def test_many_at_once_never_give_more_than_there_is() -> None:
    """If this fails, functions that run at the same time start more jobs than there is room for."""
    store = Contended()
    for number in range(30):
        wait(store, f"job-{number:02d}", at=number, size=MB)
    begun: list[str] = []
    most = 0
    lock = threading.Lock()

    def start(event: Event, _workers: int) -> bool:
        with lock:
            begun.append(event["job"])
        return True

    def work() -> None:
        nonlocal most
        while queue(store):
            time.sleep(0.001)
            for job in admit(store, capacity=50, most=961, start=start):
                used = sum(turn.workers for turn in turns(store).values())
                with lock:
                    most = max(most, used)
                admission.settle(job, 5, store, capacity=50)
                admission.release(job, store)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(begun) == {f"job-{number:02d}" for number in range(30)}
    assert 0 < most <= 50
    assert not turns(store)
