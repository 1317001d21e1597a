"""Gangs whose messages and payloads are objects of S3."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from botocore.model import OperationModel

from emulator import Emulator
from mu import Comm
from mu.errors import NondeterministicTask
from mu.messages.opening import STORE, open_channel
from mu.store.s3 import client as adapter
from mu.store.s3.bucket import S3Store

pytestmark = pytest.mark.aws

MIB = 1 << 20


@pytest.fixture
def store(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A store in a bucket of its own."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    adapter.client.cache_clear()
    emulator.client("s3").create_bucket(Bucket="messages")
    made = S3Store("messages")
    yield made
    made.delete_all(made.list())
    emulator.client("s3").delete_bucket(Bucket="messages")
    adapter.client.cache_clear()


def run(store: S3Store, size: int, task: Any) -> list[Any]:
    """What each member returned."""
    members = [
        Comm(open_channel(STORE, store, "mu/1", "g"), store, "g", rank, size)
        for rank in range(size)
    ]
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(task, members))


def test_members_talk_through_a_bucket(store: S3Store) -> None:
    """If this fails, gangs talk on one machine, but not where there is only S3."""
    calls: Counter[str] = Counter()
    lock = threading.Lock()

    def count(model: OperationModel, **_: Any) -> None:
        with lock:
            calls[model.name] += 1

    adapter.client().meta.events.register("before-call.s3", count)

    def task(comm: Comm) -> Any:
        after, before = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
        large = np.arange(3 * MIB, dtype=np.uint64) + comm.rank
        found = comm.sendrecv(large, after, source=before, timeout=60)
        found -= before
        assert np.array_equal(found, np.arange(3 * MIB, dtype=np.uint64))
        parts = [np.full(MIB // 8, 10 * comm.rank + dest) for dest in range(comm.size)]
        exchanged = comm.alltoall(parts, timeout=60)
        assert all(part.shape == (MIB // 8,) for part in exchanged)
        comm.barrier(timeout=60)
        return [int(part[-1]) for part in exchanged]

    assert run(store, 3, task) == [[rank, 10 + rank, 20 + rank] for rank in range(3)]
    assert calls["ListObjectsV2"] == 0
    assert calls["CreateMultipartUpload"] == 3
    # Of 24 MiB and some bytes each four ranges; of an exchange everybody's part for everybody.
    assert calls["GetObject"] >= 3 * 4 + 9
    # Members again, which send the same, and one that does not.
    assert run(store, 3, task) == [[rank, 10 + rank, 20 + rank] for rank in range(3)]
    with pytest.raises(NondeterministicTask):
        run(store, 3, lambda comm: comm.send("other", dest=(comm.rank + 1) % comm.size))
    channel = open_channel(STORE, store, "mu/1", "g")
    channel.forget("g")
    assert store.list("mu/") == []
