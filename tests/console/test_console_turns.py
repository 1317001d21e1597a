"""Jobs of the console that are cancelled at the very moment at which their turn begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from excamera.api.answers import State
from excamera.api.refusals import Conflict
from excamera.console.descriptions import Descriptions
from excamera.console.jobs import LocalJobs
from excamera.console.parts import Parts
from excamera.console.records import Record, Records
from excamera.console.turns import Turns
from excamera.console.urls import SignedPaths
from excamera.job.options import EncodeOptions
from tests.support.processes import wait_until


class Slow(Records):
    """Records of which a change can be held back.

    Attributes:
        held: changes to this state wait for `go`.
        asked: is set when one waits.
        go: lets them through.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.held = ""
        self.asked, self.go = threading.Event(), threading.Event()

    def change_from(self, before: State, record: Record, /, **changed: Any) -> bool:
        """See `Records.change_from`."""
        if changed["state"] == self.held and not self.go.is_set():
            self.asked.set()
            assert self.go.wait(60)
        return super().change_from(before, record, **changed)


@dataclass
class Console:
    """A console without its server."""

    records: Slow
    turns: Turns
    jobs: LocalJobs

    def job(self, state: State) -> Record:
        """A job in that state."""
        record = Record(
            id="a-job", state=state, created=time.time(), name="a.mp4", size=1, source_of="a-job",
            options=EncodeOptions().to_json(), output="a.webm", priority=0, tag=None, request={},
        )  # fmt: skip
        self.records.add(record)
        return record


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console whose jobs have their turns once a test opens them."""
    records, paths = Slow(tmp_path), SignedPaths("key")
    turns, parts = Turns(records), Parts(records, paths)
    descriptions = Descriptions(records, turns, parts, paths)
    yield Console(records, turns, LocalJobs(records, turns, parts, descriptions))
    records.go.set()
    turns.close()


def test_a_job_that_begins_while_it_is_cancelled_is_stopped(console: Console) -> None:
    """If this fails, a cancelled job is encoded all the same, and is done in the end."""
    console.records.held = "stopped"
    record = console.job("queued")
    said: list[str] = []
    cancel = threading.Thread(target=lambda: said.append(console.jobs.cancel(record.id).state))
    cancel.start()
    assert console.records.asked.wait(60)
    console.turns.open()
    wait_until(lambda: record.state == "running")
    console.records.go.set()
    cancel.join(60)
    wait_until(lambda: console.turns.live(record.id) is None)
    assert (said, record.state) == (["stopped"], "stopped")


def test_a_job_that_has_just_begun_is_stopped(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, who cancels a job as it begins is told that it goes on, and it does."""
    began = threading.Event()
    store = console.records._store

    def stored(record: Record) -> None:
        store(record)
        if record.state == "running" and not began.is_set():
            began.set()
            time.sleep(0.5)  # so that whoever waits for the beginning comes first

    record = console.job("queued")
    monkeypatch.setattr(console.records, "_store", stored)
    console.turns.open()
    assert began.wait(60)
    said = console.jobs.cancel(record.id).state
    wait_until(lambda: console.turns.live(record.id) is None)
    assert (said, record.state) == ("stopped", "stopped")


def test_an_upload_that_is_cancelled_as_it_ends_makes_no_job(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a cancelled job begins, without its film."""
    record = console.job("uploading")

    def complete(_parts: Parts, one: Record, _document: bytes) -> None:
        console.jobs.cancel(one.id)

    monkeypatch.setattr(Parts, "complete", complete)
    with pytest.raises(Conflict, match="it is stopped"):
        console.jobs.complete(record.id, b"")
    assert record.state == "stopped"
