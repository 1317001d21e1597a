"""The client's side of executors on a stack, with a store and a state machine that tests direct."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mu import MemoryStore
from mu.engines.call import Answer, Call, CallFailed
from mu.engines.stack import deployment, dispatcher, sender, workers
from mu.engines.stack.deployment import Deployment
from mu.engines.stack.share import Keys, Outcome, read_share, write_outcomes
from mu.engines.stack.workers import StackWorkers
from mu.errors import StoreUnavailable
from mu.packing import pieces
from tests.support.processes import wait_until

ASLEEP_S = 3600.0

DEPLOYMENT = Deployment(
    name="Stack", bucket="b", machine="arn", functions={"arm64": {1769: ["f"]}},
    architecture="arm64", python="3", timeout_s=900, packages={}, usd_per_gb_s={},
)  # fmt: skip


class Cloud(MemoryStore):
    """The store of a stack, its state machine, and the clock of the client.

    Attributes:
        written: keys in the order in which they were written.
        started: inputs of the executions.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._slept_s = 0.0
        self._sleeps = self._fails = False
        self.lists_again = threading.Event()
        self.written: list[str] = []
        self.started: list[Any] = []

    @property
    def url(self) -> str:
        """Nobody opens it."""
        return f"dir:{self._folder}"

    def sleep(self) -> None:
        """Let the client sleep after it has listed what there is, and fail to list after that."""
        self._sleeps = True

    def monotonic(self) -> float:
        """The client's clock."""
        return time.monotonic() + self._slept_s

    def concat(self, key: str, *arguments: Any, **named: Any) -> int:
        """See `Store.concat`."""
        self.written.append(key)
        return super().concat(key, *arguments, **named)

    def list(self, prefix: str = "", **which: Any) -> list[str]:
        """See `Store.list`."""
        if not prefix.endswith("/outcomes/"):
            return super().list(prefix, **which)
        if self._fails:
            self._fails = False
            raise StoreUnavailable("there is no network yet")
        if self._slept_s:
            self.lists_again.set()
        elif self._sleeps:
            self._slept_s = ASLEEP_S
            self._fails = True
        return super().list(prefix, **which)

    def start_execution(self, **execution: Any) -> dict[str, str]:
        """As Step Functions."""
        self.started.append(execution)
        return {"executionArn": f"arn:{execution['name']}"}

    def describe_execution(self, **_: Any) -> dict[str, str]:
        """As Step Functions."""
        return {"status": "RUNNING"}

    def stop_execution(self, **_: Any) -> None:
        """As Step Functions."""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A stack."""
    cloud = Cloud(tmp_path)
    clocks = SimpleNamespace(monotonic=cloud.monotonic, sleep=time.sleep)
    monkeypatch.setattr(dispatcher, "time", clocks)
    monkeypatch.setattr(workers, "S3Store", lambda _bucket: cloud)
    for module in (deployment, dispatcher, sender):
        monkeypatch.setattr(module, "client", lambda _service: cloud)
    monkeypatch.setattr(workers, "most_at_once", lambda: 100)
    return cloud


@pytest.fixture
def client(cloud: Cloud) -> Iterator[StackWorkers]:
    """Its client."""
    del cloud
    client = StackWorkers(DEPLOYMENT)
    yield client
    client.close()


def submit(client: StackWorkers) -> tuple[Future[str], Future[Answer | CallFailed]]:
    """Submit a call: when it has been sent, and what became of it."""
    sent: Future[str] = Future()
    ended: Future[Answer | CallFailed] = Future()

    def started(worker: str) -> None:
        if not sent.done():
            sent.set_result(worker)

    client.submit(Call({}, body=[b"arguments"], started=started, ended=ended.set_result))
    return sent, ended


def test_the_lease_is_there_before_the_calls(client: StackWorkers, cloud: Cloud) -> None:
    """If this fails, a client that is killed while it sends leaves calls without an end."""
    sent, _ = submit(client)
    sent.result(60)
    keys = Keys(client.job)
    assert cloud.written == [keys.lease, keys.share("00000-00000")]


def test_calls_that_come_back_are_sent_again(client: StackWorkers, cloud: Cloud) -> None:
    """If this fails, a client that slept loses what workers have given back."""
    sent, ended = submit(client)
    sent.result(60)
    keys = Keys(client.job)
    for wave in range(2):
        share = keys.share(f"{wave:05d}-00000")
        wait_until(lambda share=share: cloud.exists(share))
        ((call,), _) = read_share(cloud.get(share))
        outcome = Answer({}, memoryview(b"result")) if wave else None
        told = pieces(write_outcomes([Outcome(call.number, outcome)]))
        cloud.concat(f"{keys.outcomes}{wave}", told)
    found = ended.result(60)
    assert isinstance(found, Answer)
    assert bytes(found.body) == b"result"
    assert [one["name"] for one in cloud.started] == [f"{client.job}-{wave}" for wave in range(2)]


def test_a_client_that_slept_need_not_reach_aws_at_once(client: StackWorkers, cloud: Cloud) -> None:
    """If this fails, the time asleep counts as one without answers, and all calls fail after it."""
    sent, ended = submit(client)
    sent.result(60)
    cloud.sleep()
    assert cloud.lists_again.wait(60)
    assert not ended.done()
