"""Leases: who holds them, who looks, and what becomes of calls whose client holds none any more."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mu
from mu import MemoryStore
from mu.engines.stack import lease as leases
from mu.engines.stack.environment import Environment, Limits
from mu.engines.stack.lease import Lease
from mu.engines.stack.share import Keys, Outcome, ShareCall, read_outcomes, write_share
from mu.errors import StoreUnavailable
from mu.packing import joined, pack, pieces
from mu.prices import READ_USD, WRITE_USD
from mu.store.memory import MemoryObject
from tests.support.processes import alive, wait_until

KEYS = Keys("a-job")
ROOT = Path(__file__).resolve().parents[2]


class Bucket(MemoryStore):
    """A store whose lease is as old as a test says, and that counts who looks at it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.older_s = 0.0
        self.made: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Of another store: the calls of these tests read nothing."""
        return f"dir:{self._folder}"

    def look_up(self, key: str) -> MemoryObject:
        """See `Store.look_up`."""
        found = super().look_up(key)
        if key != KEYS.lease:
            return found
        self.made["looks"] += 1
        return replace(found, modified=found.modified - timedelta(seconds=self.older_s))


@dataclass
class Cloud:
    """An environment of a cloud function, and the job's client."""

    store: Bucket
    environment: Environment
    folder: Path

    def hold(self, valid_s: float) -> None:
        """Write the lease once."""
        self.store.concat(KEYS.lease, [b""], metadata={"valid-s": f"{valid_s:g}"})

    def send(self, function: Callable[..., Any], *arguments: Any, share: str = "0") -> None:
        """Write a share with a call for each of the arguments."""
        packed = joined(pack(function, there=()))
        self.store.put(KEYS.function("f"), packed)
        calls = [
            ShareCall(number, {"task": "t", "attempt": 1}, "f", pack(([(one,)], {})))
            for number, one in enumerate(arguments)
        ]
        self.store.concat(KEYS.share(share), pieces(write_share(calls)))

    def run(self, share: str = "0") -> dict[str, int]:
        """Run a share, as Lambda calls the function."""
        return self.environment.run(KEYS.job, share, slots=2, left_s=lambda: 900.0)

    def outcomes(self, share: str = "0") -> list[Outcome]:
        """What became of its calls."""
        keys = self.store.list(f"{KEYS.outcomes}{share}-")
        found = [one for key in keys for one in read_outcomes(bytearray(self.store.get(key)))]
        return sorted(found, key=lambda one: one.number)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """An environment that waits for shares."""
    store = Bucket(tmp_path / "data")
    environment = Environment(
        "e", store, Limits(1769, 0.0), lambda _job: ({}, 3600.0), tmp_path / "scratch"
    )
    yield Cloud(store, environment, tmp_path)
    environment.close()


def note_and_wait(place: str) -> None:
    """Says which process it is, and takes long."""
    import os
    import time

    mu.open_store(f"dir:{place}").put("begun", str(os.getpid()).encode())
    time.sleep(600)


# ---- environments ----


def test_no_call_begins_after_the_lease_and_all_come_back(cloud: Cloud) -> None:
    """If this fails, the rest of a large map is computed for a client that is gone, or is lost."""
    cloud.hold(300)
    cloud.store.older_s = 301
    cloud.send(note_and_wait, str(cloud.folder / "a"), str(cloud.folder / "b"))
    cloud.store.delete(KEYS.function("f"))  # what would be read of it is paid for in vain
    assert cloud.run() == {"calls": 2, "ended": 0}
    assert [(one.number, one.outcome) for one in cloud.outcomes()] == [(0, None), (1, None)]
    assert not (cloud.folder / "a").exists()
    assert not (cloud.folder / "scratch").exists(), "processes were started for nobody"


def test_calls_that_run_end_with_the_lease_and_come_back(cloud: Cloud) -> None:
    """If this fails, what a killed client has begun is billed to its end."""
    cloud.hold(0.5)
    places = [cloud.folder / name for name in "abc"]
    cloud.send(note_and_wait, *map(str, places))
    begun = [place / "begun" for place in places[:2]]  # of three calls, two run at once
    done: list[dict[str, int]] = []
    cloud.store.older_s = -600
    running = threading.Thread(target=lambda: done.append(cloud.run()))
    running.start()
    wait_until(lambda: all(place.exists() for place in begun))
    processes = [int(place.read_text()) for place in begun]
    assert all(map(alive, processes))
    cloud.store.older_s = 600
    running.join(60)
    assert done == [{"calls": 3, "ended": 0}]
    wait_until(lambda: not any(map(alive, processes)))
    assert [one.outcome for one in cloud.outcomes()] == [None] * 3
    assert not places[2].exists()


def test_a_client_that_is_back_is_served_at_once(cloud: Cloud) -> None:
    """If this fails, an environment that has found a lease run out refuses the job for good."""
    cloud.hold(300)
    cloud.store.older_s = 301
    cloud.send(abs, -7)
    assert cloud.run() == {"calls": 1, "ended": 0}
    cloud.store.older_s = 0
    cloud.send(abs, -7, share="1")
    assert cloud.run("1") == {"calls": 1, "ended": 1}
    (outcome,) = cloud.outcomes("1")
    assert outcome.outcome is not None


def test_shares_of_a_moment_look_once(cloud: Cloud) -> None:
    """If this fails, each of many short shares is billed for a look at the lease."""
    cloud.hold(300)
    for number in range(3):
        cloud.send(abs, -7, share=str(number))
        assert cloud.run(str(number)) == {"calls": 1, "ended": 1}
    assert cloud.store.made["looks"] == 1


def test_a_job_without_a_lease_runs(cloud: Cloud) -> None:
    """If this fails, clients of before there were leases get no results of a new stack."""
    cloud.send(abs, -7)
    assert cloud.run() == {"calls": 1, "ended": 1}


# ---- clients ----


class Written(MemoryStore):
    """Counts how often a lease is written, and fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        self.fails = False

    def concat(self, key: str, *arguments: Any, **named: Any) -> int:
        """See `Store.concat`."""
        self.times += 1
        if self.fails:
            raise StoreUnavailable(key)
        return super().concat(key, *arguments, **named)


def test_a_lease_is_renewed_while_calls_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, calls of a client that lives are ended, or an idle one pays for ever."""
    monkeypatch.setattr(leases, "_VALID_S", 0.05)
    store = Written()
    asked: list[bool] = []
    needed = False

    def is_needed() -> bool:
        asked.append(needed)
        return needed

    lease = Lease(store, KEYS, is_needed)
    wait_until(lambda: len(asked) > 3)
    assert store.times == 0
    needed = True
    wait_until(lambda: store.times > 3)
    store.fails = True
    failed = store.times + 3
    wait_until(lambda: store.times > failed)
    store.fails = False
    store.delete(KEYS.lease)
    wait_until(lambda: store.exists(KEYS.lease))
    assert store.look_up(KEYS.lease).metadata == {"valid-s": "0.05"}
    lease.close()
    assert not any(thread.name == "mu lease" for thread in threading.enumerate())


def test_a_wave_writes_a_lease_only_if_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, each wave pays for a lease, or one after a sleep is refused by workers."""
    store = Written()
    lease = Lease(store, KEYS, lambda: False)
    now = {"monotonic": 1000.0, "time": 5000.0}
    clocks = SimpleNamespace(**{name: lambda name=name: now[name] for name in now})
    monkeypatch.setattr(leases, "time", clocks)
    for monotonic, clock, times in (
        (0, 0, 1),
        (59, 59, 1),
        (2, 2, 2),
        (0, 8 * 3600, 3),  # a machine that sleeps counts no seconds
        (61, -9 * 3600, 4),  # a clock that is put right
    ):
        now["monotonic"] += monotonic
        now["time"] += clock
        lease.hold()
        assert store.times == times
    lease.close()


def test_the_page_says_what_leases_cost() -> None:
    """If this fails, docs/mu.md has other prices of a lease than the code."""
    page = (ROOT / "docs" / "mu.md").read_text()
    writes = 3600 / (leases._VALID_S / leases._RENEWALS)
    looks = 3600 / (leases._VALID_S / leases._LOOKS)
    assert f"${writes * WRITE_USD:.4f} for each hour" in page
    assert f"${looks * READ_USD:.5f} for each hour of an environment" in page
