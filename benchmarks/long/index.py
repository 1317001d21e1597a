"""The steps index and plan of a long film, beside PyAV's demuxer, and their requests to a store.

The store answers each request late, as S3 does, so a round trip shows in the time on the clock.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import av

from benchmarks.common.timing import Spent, interleaved, spread
from benchmarks.long.films import KINDS, RATE, write_film
from excamera.job.draft import Draft
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.media.source.reader import FrameReader
from excamera.steps.index import index
from excamera.steps.plan import plan
from mu import Context, MemoryStore
from mu.store.block_file import BlockFile

LATENCY_S = 0.025
SECOND_BYTES = 75_000_000
"""What one request to S3 gets in a second; or all of them together, if they share one line."""

PEER = "PyAV's demuxer"
_KEY = "in/film"
_OPTIONS = EncodeOptions.from_json({"chunk_frames": 12})
_SLOW = ("MPEG-TS",)  # is decoded for its index: its film is as long as a test can wait
_SLOW_S = 240


class LateSource:
    """An object whose bytes come as late as those of S3."""

    def __init__(self, data: bytes, *, ahead: bool, shared: bool) -> None:
        self._data = data
        self._line = threading.Lock() if shared else contextlib.nullcontext()
        self._pool = ThreadPoolExecutor(16) if ahead else None
        self.files: list[BlockFile] = []

    def _read_range(self, start: int, length: int) -> bytes:
        time.sleep(LATENCY_S)
        with self._line:
            time.sleep(length / SECOND_BYTES)
        return self._data[start : start + length]

    def open(self) -> BlockFile:
        """The object as a file that is read by ranges."""
        file = BlockFile(self._read_range, len(self._data), cache_bytes=48 << 20, pool=self._pool)
        self.files.append(file)
        return file


class LateStore(MemoryStore):
    """A store in memory, of which one object is a `LateSource`."""

    def __init__(self, film: LateSource) -> None:
        super().__init__()
        self.film = film

    def look_up(self, key: str) -> Any:  # the film is no `Source` of a store in memory
        """The film if it is asked for, else what is stored."""
        return self.film if key == _KEY else super().look_up(key)


def _demuxed(path: Path) -> None:
    with av.open(str(path)) as container:
        for _ in container.demux(container.streams.video[0]):
            pass


def _steps(path: Path, kind: str, found: dict[str, Any]) -> dict[str, Spent]:
    """Index and plan of a file of this machine."""
    store, keys = MemoryStore(), Keys("j")
    given = {"name": path.name, "path": str(path)}
    event = {"job": "j", "input": given, "container": "webm", "options": _OPTIONS.to_json()}
    spent = {name: Spent() for name in (f"{kind}: index", f"{kind}: plan", f"{kind}: read both")}
    with spent[f"{kind}: index"].more():
        summary = index(event, Context(store))
    with spent[f"{kind}: plan"].more():
        plan({"job": "j", "limits": summary["limits"]}, Context(store))
    with spent[f"{kind}: read both"].more():
        Draft.load(store, keys)
        Job.load(store, "j")
    found |= {
        "frames": summary["frames"],
        "index_json_bytes": store.size(keys.index),
        "plan_json_bytes": store.size(keys.plan),
    }
    return spent


def _timed(name: str, path: Path) -> dict[str, Spent]:
    spent = Spent()
    with spent.more():
        _demuxed(path)
    return {name: spent}


def _requests(path: Path) -> dict[str, Any]:
    """What index and the read of a chunk in the middle ask of a late store."""
    found = {}
    for name, ahead, shared in (
        ("one after another", False, False),
        ("ahead, each at full speed", True, False),
        ("ahead, on one line", True, True),
    ):
        store = LateStore(LateSource(path.read_bytes(), ahead=ahead, shared=shared))
        given = {"name": path.name, "key": _KEY}
        event = {"job": "j", "input": given, "container": "webm", "options": _OPTIONS.to_json()}
        begun = time.perf_counter()
        summary = index(event, Context(store))
        index_s = time.perf_counter() - begun
        indexed = _asked(store)
        plan({"job": "j", "limits": summary["limits"]}, Context(store))
        job = Job.load(store, "j")
        chunk = job.plan.batches[len(job.plan.batches) // 2].chunks[3]
        begun = time.perf_counter()
        with FrameReader.for_plan(job.plan, store) as reader:
            frames = sum(1 for _ in reader.read(chunk))
        found[name] = {
            "index": {"wall_s": round(index_s, 3), **indexed},
            "first chunk of a worker": {
                "wall_s": round(time.perf_counter() - begun, 3), "frames": frames, **_asked(store),
            },
        }  # fmt: skip
    return found


def _asked(store: LateStore) -> dict[str, int]:
    files, store.film.files = store.film.files, []
    return {
        "requests": sum(file.requests for file in files),
        "bytes": sum(file.bytes_read for file in files),
    }


def measure(
    folder: Path, rounds: int, quick: bool, kinds: Sequence[str] = tuple(KINDS)
) -> dict[str, Any]:
    """Returns times of the steps by kind of film, sizes of what they store, and requests."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for kind in kinds:
        seconds = 64 if quick else _SLOW_S if kind in _SLOW else 3 * 3600
        path = write_film(folder, kind, seconds)
        facts: dict[str, Any] = {}
        runs = [partial(_timed, PEER, path), partial(_steps, path, kind, facts)]
        turns = interleaved(rounds, runs)
        peer = sorted(one.cpu_s for one in turns[PEER])[rounds // 2]
        found[kind] = {
            "seconds": seconds,
            "file_bytes": path.stat().st_size,
            **facts,
            "times": {
                name.rpartition(": ")[2]: {
                    "cpu_s": spread([one.cpu_s for one in spents]),
                    "times_as_long_as_peer": round(
                        sorted(one.cpu_s for one in spents)[rounds // 2] / peer, 2
                    ),
                }
                for name, spents in turns.items()
            },
            "requests": _requests(path),
        }
    return {"peer": PEER, "frames_a_second": RATE, "latency_s": LATENCY_S, "films": found}
