"""Shares on one environment of a stack: its last seconds, unwanted calls, runs in duplicate."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mu import DirectoryStore
from mu.engines.call import Answer, CallFailed
from mu.engines.stack.environment import Environment, Limits
from mu.engines.stack.share import (
    Keys,
    Outcome,
    ShareCall,
    read_outcomes,
    write_share,
    write_stop,
)
from mu.packing import joined, pack, pieces, unpack
from tests.support.processes import alive, wait_until

KEYS = Keys("job")
SHARE = "00000-00000"
PLENTY_S = 900.0


def work(folder: Path, name: str, until: str) -> str:
    """Notes that it has begun, and with which process; waits for a file, if one is named."""
    (folder / name).write_text(str(os.getpid()))
    if until:
        wait_until((folder / until).exists)
    return name


class Setting:
    """An environment, and what it works on."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "notes"
        self.folder.mkdir()
        self.store = DirectoryStore(root / "store")
        self.environment = Environment(
            "here", self.store, Limits(memory_mb=1769, usd_per_s=0.1),
            lambda _: ({}, 3600.0), root / "scratch",
        )  # fmt: skip

    def put(self, *calls: tuple[str, str]) -> None:
        """Write a share of calls of `work`, each with its name and what it waits for."""
        function = joined(pack(work))
        digest = hashlib.sha256(function).hexdigest()
        self.store.put(KEYS.function(digest), function)
        share = [
            ShareCall(number, {"task": "work", "attempt": 1}, digest,
                      [joined(pack(([(self.folder, *call)], {})))])
            for number, call in enumerate(calls)
        ]  # fmt: skip
        self.store.concat(KEYS.share(SHARE), pieces(write_share(share)))

    def run(self, left_s: Callable[[], float]) -> dict[str, int]:
        """Run the share on one slot."""
        return self.environment.run("job", SHARE, slots=1, left_s=left_s)

    def began(self, name: str) -> bool:
        """Whether a call has begun, and has said so."""
        note = self.folder / name
        return note.exists() and note.stat().st_size > 0

    def outcomes(self) -> dict[int, Outcome]:
        """What became of calls; each is told once."""
        found = [
            one
            for key in self.store.list(KEYS.outcomes)
            for one in read_outcomes(bytearray(self.store.get(key)))
        ]
        assert len({one.number for one in found}) == len(found)
        return {one.number: one for one in found}

    def record(self) -> dict[str, Any]:
        """What is known of the share."""
        (key,) = self.store.list(KEYS.records)
        found: dict[str, Any] = json.loads(self.store.get(key))
        return found


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    """An environment without an account."""
    made = Setting(tmp_path)
    yield made
    made.environment.close()


def result_of(outcome: Outcome) -> Any:
    """What a call returned."""
    assert isinstance(outcome.outcome, Answer)
    (result,), failures = unpack(outcome.outcome.body)
    assert failures == {}
    return result


def test_calls_that_have_not_begun_are_given_back_in_time(setting: Setting) -> None:
    """If this fails, a call begins that its function's end will stop, or one is lost with it."""
    setting.put(("first", "go"), ("second", ""), ("third", ""))

    looks = 0

    def left_s() -> float:
        nonlocal looks
        looks += setting.began("first")
        if looks >= 5:  # it has surely looked what may still begin
            (setting.folder / "go").touch()
        # With ten seconds left nothing begins, and what runs goes on.
        return 10.0 if looks else PLENTY_S

    assert setting.run(left_s) == {"calls": 3, "ended": 1}
    outcomes = setting.outcomes()
    assert result_of(outcomes[0]) == "first"
    assert (outcomes[1].outcome, outcomes[2].outcome) == (None, None)
    assert not setting.began("second")
    assert not setting.began("third")
    assert [one["number"] for one in setting.record()["calls"]] == [0]


def test_what_was_given_back_is_begun_by_the_next(setting: Setting) -> None:
    """If this fails, a share begins that took too long to be made ready, or is lost."""
    setting.put(("first", ""), ("second", ""))
    assert setting.run(lambda: 10.0) == {"calls": 2, "ended": 0}
    assert [one.outcome for one in setting.outcomes().values()] == [None, None]
    assert not setting.began("first")
    setting.store.delete_all(setting.store.list(KEYS.outcomes))
    assert setting.run(lambda: PLENTY_S) == {"calls": 2, "ended": 2}
    assert [result_of(one) for one in setting.outcomes().values()] == ["first", "second"]


def test_a_call_that_runs_is_ended_by_name_before_its_function_is(setting: Setting) -> None:
    """If this fails, a call that takes 15 minutes ends as a dead worker, and takes others along."""
    setting.put(("first", "never"), ("second", ""))
    ends = 0.0

    def left_s() -> float:
        nonlocal ends
        if not setting.began("first"):
            return PLENTY_S
        ends = ends or time.monotonic() + 9.5
        return ends - time.monotonic()

    assert setting.run(left_s) == {"calls": 2, "ended": 1}
    assert ends - time.monotonic() > 0
    outcomes = setting.outcomes()
    ended = outcomes[0].outcome
    assert isinstance(ended, CallFailed)
    assert ended.error == "TaskTimeout"
    assert "its worker had to end after" in ended.message
    assert outcomes[1].outcome is None
    assert not setting.began("second")
    assert not alive(int((setting.folder / "first").read_text()))
    assert [one["error"] for one in setting.record()["calls"]] == ["TaskTimeout"]
    # The environment lives on, and has workers for the next share.
    setting.store.delete_all(setting.store.list(KEYS.outcomes))
    setting.put(("third", ""))
    assert setting.run(lambda: PLENTY_S) == {"calls": 1, "ended": 1}
    assert result_of(setting.outcomes()[0]) == "third"


def test_a_call_that_nobody_wants_does_not_begin(setting: Setting) -> None:
    """If this fails, a call runs that was cancelled while its share waited for room."""
    setting.put(("first", ""), ("second", ""))
    write_stop(setting.store, KEYS, everything=False, calls=[0])
    assert setting.run(lambda: PLENTY_S) == {"calls": 1, "ended": 1}
    assert result_of(setting.outcomes()[1]) == "second"
    assert not setting.began("first")


def test_two_runs_of_a_share_keep_what_the_other_has_written(setting: Setting) -> None:
    """If this fails, a share that Lambda runs twice loses what became of some of its calls."""
    setting.put(("first", ""))
    for _ in range(2):
        assert setting.run(lambda: PLENTY_S) == {"calls": 1, "ended": 1}
    found = [
        read_outcomes(bytearray(setting.store.get(key)))
        for key in setting.store.list(KEYS.outcomes)
    ]
    assert [result_of(one) for (one,) in found] == ["first", "first"]
