"""Ping-pong between two processes over every channel, and over two peers, in turn."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.common.timing import ratio, spread
from benchmarks.messages.server import redis_server
from emulator import Emulator, EmulatorUnavailableError
from mu import Comm, Store, open_store
from mu.messages.opening import SOCKETS, STORE, begin_channel, open_channel

SIZES = (8, 1 << 10, 32 << 10, 1 << 20, 16 << 20, 256 << 20)
PIPE, RAW_REDIS = "multiprocessing.Pipe", "redis-py, lists"
PEERS = (PIPE, RAW_REDIS)
REDIS, DIRECTORY, S3 = "redis", "store in a directory", "store in S3 (emulator)"
CHANNELS = (SOCKETS, REDIS, DIRECTORY, S3)
ROUNDS = 3
_ENOUGH_S = 4.0
"""A round of a contender with one size ends after so long, but not before three messages."""

_MOST = {8: 300, 1 << 10: 300, 32 << 10: 150, 1 << 20: 40, 16 << 20: 6, 256 << 20: 2}
"""Ping-pongs in a round."""

_LARGEST_IN_S3 = 16 << 20  # the emulator keeps all objects in memory

_spawned = multiprocessing.get_context("spawn")


class Line(Protocol):
    """What sends objects to the other process, and receives what it sends."""

    def send(self, obj: Any) -> None:
        """Send an object."""

    def recv(self) -> Any:
        """The next object."""


@dataclass(frozen=True)
class Plan:
    """How both processes open a `Line`; all of it travels by pickle.

    Attributes:
        kind: a peer or a channel.
        url: of the server or the channel.
        store: URL of the store.
        job: begins the keys.
    """

    kind: str
    url: str = ""
    store: str = ""
    job: str = ""

    def open(self, rank: int, pipe: Any) -> Line:
        """The line of one of both processes."""
        if self.kind == PIPE:
            return _Pipe(pipe)
        if self.kind == RAW_REDIS:
            return _Lists(self.url, rank)
        store = open_store(self.store)
        return _Member(Comm(open_channel(self.url, store, self.job, "g"), store, "g", rank, 2))


class _Pipe:
    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def send(self, obj: Any) -> None:
        self._pipe.send(obj)

    def recv(self) -> Any:
        return self._pipe.recv()


class _Lists:
    def __init__(self, url: str, rank: int) -> None:
        import redis

        self._client = redis.Redis.from_url(url)
        self._mine, self._other = f"to-{rank}", f"to-{1 - rank}"

    def send(self, obj: Any) -> None:
        self._client.lpush(self._other, pickle.dumps(obj, protocol=5))

    def recv(self) -> Any:
        found: Any = None
        while found is None:
            found = self._client.brpop(self._mine, 2)
        return pickle.loads(found[1])


class _Member:
    def __init__(self, comm: Comm) -> None:
        self._comm = comm

    def send(self, obj: Any) -> None:
        self._comm.send(obj, dest=1 - self._comm.rank)

    def recv(self) -> Any:
        return self._comm.recv(source=1 - self._comm.rank)


def _echo(plan: Plan, pipe: Any) -> None:
    line = plan.open(1, pipe)
    while (array := line.recv()) is not None:
        array += 1  # so that nothing is sent twice, nor left unread
        line.send(array)


class Pair:
    """This process and another that sends everything back."""

    def __init__(self, plan: Plan) -> None:
        mine, theirs = _spawned.Pipe()
        self.plan = plan
        self._other = _spawned.Process(target=_echo, args=(plan, theirs), daemon=True)
        self._other.start()
        self._line = plan.open(0, mine)

    def one_way_s(self, size: int) -> list[float]:
        """Half of what each ping-pong took, in seconds."""
        array = np.zeros(size, np.uint8) if size % 8 else np.zeros(size // 8, np.uint64)
        array[0] = time.monotonic_ns()
        found: list[float] = []
        begun = time.monotonic()
        # The first wakes up what has slept meanwhile.
        while len(found) <= _MOST[size] and (
            len(found) < 4 or time.monotonic() - begun < _ENOUGH_S
        ):
            before = time.perf_counter()
            self._line.send(array)
            back = self._line.recv()
            found.append((time.perf_counter() - before) / 2)
            assert back[0] == array[0] + 1
            array = back
            array += 1
        return found[1:]

    def close(self) -> None:
        """End the other process."""
        self._line.send(None)
        self._other.join(30)
        self._other.kill()
        self._other.join()


@contextlib.contextmanager
def _stores(folder: Path) -> Iterator[dict[str, Store]]:
    """A store in a directory, and one in S3 if the emulator is installed."""
    with contextlib.ExitStack() as stack:
        stores: dict[str, Store] = {DIRECTORY: open_store(f"dir:{folder / 'store'}")}
        with contextlib.suppress(EmulatorUnavailableError):
            running = stack.enter_context(Emulator(folder / "emulator"))
            os.environ.update({**running.environment, "AWS_EC2_METADATA_DISABLED": "true"})
            running.client("s3").create_bucket(Bucket="messages")
            stores[S3] = open_store("s3://messages")
        yield stores


def measure(most_bytes: int) -> Mapping[str, Any]:
    """Returns, by size, the latency of each contender and the ratios against the peers.

    Args:
        most_bytes: larger sizes are left out.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = stack.enter_context(_stores(folder))
        url = stack.enter_context(redis_server())
        kinds = {SOCKETS: SOCKETS, DIRECTORY: STORE, S3: STORE, REDIS: url}
        plans = [Plan(PIPE)]
        if url is not None:
            plans.append(Plan(RAW_REDIS, url))
        for number, name in enumerate(CHANNELS):
            kind = kinds[name]
            if kind is None or (name == S3 and S3 not in stores):
                continue
            store = stores.get(name, stores[DIRECTORY])
            job = f"mu/{number}"
            opened, first = begin_channel(kind, store, job)
            stack.callback(first.close)
            plans.append(Plan(name, opened, store.url, job))
        pairs = [Pair(plan) for plan in plans]
        try:
            return {
                str(size): _of_size(size, pairs, list(stores.values()))
                for size in SIZES
                if size <= most_bytes
            }
        finally:
            for pair in pairs:
                pair.close()


def _of_size(size: int, pairs: list[Pair], stores: list[Store]) -> dict[str, Any]:
    rounds: dict[str, list[list[float]]] = {}
    for _ in range(ROUNDS):
        for pair in pairs:
            if pair.plan.kind == S3 and size > _LARGEST_IN_S3:
                continue
            rounds.setdefault(pair.plan.kind, []).append(pair.one_way_s(size))
            for store in stores:
                store.delete_all(store.list("g/payloads/"))
    medians = {name: [statistics.median(one) for one in of] for name, of in rounds.items()}
    return {
        name: {
            "messages": sum(map(len, of)),
            "median_us": spread([1e6 * one for one in medians[name]]),
            "p99_us": float(f"{1e6 * _percentile([s for one in of for s in one], 0.99):.5g}"),
            "mb_s": float(f"{size / statistics.median(medians[name]) / 1e6:.4g}"),
            "against": {
                # How many times the peer's time.
                peer: ratio(medians[peer], medians[name])
                for peer in PEERS
                if peer in medians and peer != name
            },
        }
        for name, of in rounds.items()
    }


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
