"""The requests of small gangs, counted, and what a large one would make and pay."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.messages.server import redis_server
from mu import Comm, MemoryStore
from mu.messages.opening import STORE, begin_channel, open_channel
from mu.prices import ECPU_USD, READ_USD, WRITE_USD

SENT_BYTES = 1_000_000
WORKERS, SECONDS = 1_000, 60
_SIZES = (4, 8)
_STEPS = 8
_STEP_S = 1.0
S3_S = 0.025
"""What a request to S3 takes; so a receiver asks as often as it would there."""

Pattern = Callable[[Comm, int], None]


def ring(comm: Comm, step: int) -> None:
    """Each sends 1 MB to the next."""
    comm.send(bytes([comm.rank, step]) * (SENT_BYTES // 2), dest=(comm.rank + 1) % comm.size)
    comm.recv(source=(comm.rank - 1) % comm.size)


def exchange(comm: Comm, step: int) -> None:
    """Each sends 1 MB, in equal parts to all."""
    comm.alltoall([bytes([comm.rank, step]) * (SENT_BYTES // comm.size // 2)] * comm.size)


PATTERNS: Mapping[str, Pattern] = {"ring": ring, "alltoall": exchange}


class CountingStore(MemoryStore):
    """A store that counts the requests that S3 would bill, and takes as long."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()
        self._counting = threading.Lock()

    def _request(self, kind: str) -> None:
        with self._counting:
            self.made[kind] += 1
        time.sleep(S3_S)

    def put(self, key: str, data: Any) -> None:
        """A PUT."""
        self._request("writes")
        super().put(key, data)

    def put_new(self, key: str, data: Any) -> bool:
        """A PUT."""
        self._request("writes")
        return super().put_new(key, data)

    def concat(self, key: str, parts: Iterable[Any], **named: Any) -> int:
        """A PUT: payloads here are far below two parts of a multipart upload."""
        self._request("writes")
        return super().concat(key, parts, **named)

    def get(self, key: str) -> bytes:
        """A GET, also of what is not there."""
        self._request("reads")
        return super().get(key)

    def get_writable(self, key: str, start: int, length: int) -> bytearray:
        """A GET: payloads here are smaller than the parts that are read at a time."""
        self._request("reads")
        return bytearray(memoryview(super().look_up(key).data)[start : start + length])

    def exists(self, key: str) -> bool:
        """A HEAD."""
        self._request("reads")
        return super().exists(key)


def _run(pattern: Pattern, size: int, kind: str, job: str) -> dict[str, float]:
    """The requests of one step of a gang."""
    store = CountingStore()
    url, first = begin_channel(kind, store, job)
    channels = [open_channel(url, store, job, "g") for _ in range(size)]
    members = [Comm(channel, store, "g", rank, size) for rank, channel in enumerate(channels)]
    store.made.clear()
    before = _commands(kind)
    begin = time.monotonic() + 0.5

    def member(comm: Comm) -> None:
        for step in range(_STEPS):
            time.sleep(max(0.0, begin + step * _STEP_S - time.monotonic()))
            pattern(comm, step)

    with ThreadPoolExecutor(size) as pool:
        list(pool.map(member, members))
    commands = _commands(kind) - before
    for channel in channels:
        channel.close()
    first.close()
    return {
        "writes": store.made["writes"] / _STEPS,
        "reads": store.made["reads"] / _STEPS,
        "commands": commands / _STEPS,
    }


def _commands(kind: str) -> int:
    """How many commands for messages a server has carried out so far."""
    if kind == STORE:
        return 0
    import redis

    with redis.Redis.from_url(kind) as client:
        found: Any = client.info("commandstats")
    own = ("info", "hello", "client", "auth", "command", "config")
    return sum(
        one["calls"]
        for name, one in found.items()
        if not name.removeprefix("cmdstat_").startswith(own)
    )


def terms(small: float, large: float, sizes: tuple[int, int] = _SIZES) -> dict[str, float]:
    """A count for each member and one for each pair of members, from two sizes of a gang."""
    each = (large / sizes[1] - small / sizes[0]) / (sizes[1] - sizes[0])
    return {"member": round(small / sizes[0] - each * sizes[0], 3), "pair": round(each, 3)}


def of_large(found: Mapping[str, float]) -> float:
    """Requests of a step of `WORKERS` members."""
    # Below this share of a request, it is the clock's chance.
    pairs = found["pair"] if found["pair"] >= 0.25 else 0.0
    member = found["member"] if pairs else found["member"] + found["pair"] * max(_SIZES)
    return WORKERS * member + WORKERS**2 * pairs


def dollars(counts: Mapping[str, float]) -> float:
    """The price of so many requests."""
    return counts["writes"] * WRITE_USD + counts["reads"] * READ_USD + counts["commands"] * ECPU_USD


def measure() -> list[dict[str, Any]]:
    """Returns the requests of each pattern over each channel that needs no hub."""
    rows = []
    with redis_server() as server:
        for name, pattern in PATTERNS.items():
            for channel, kind in ((STORE, STORE), ("redis", server)):
                if kind is None:
                    continue
                counted = {
                    str(size): _run(pattern, size, kind, f"mu/{name}-{size}") for size in _SIZES
                }
                small, large = counted.values()
                fitted = {what: terms(small[what], large[what]) for what in small}
                rows.append(
                    {"pattern": name, "channel": channel, "counted": counted, "terms": fitted}
                )
    return rows
