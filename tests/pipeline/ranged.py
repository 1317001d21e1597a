"""Sources that are read by ranges, as objects in S3 are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from av.video.frame import VideoFrame

from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.media.source.index import Index, index_packets
from excamera.media.source.media import open_media
from excamera.media.source.picture import planes_of
from mu import Context, MemoryStore
from mu.store.block_file import BlockFile
from tests.support.planning import make_plan

OPTIONS = EncodeOptions(chunk_frames=5, batch_chunks=3, crf=8)
FRONT = {"movflags": "faststart"}
X265 = {"crf": "1", "x265-params": "log-level=none:keyint=10:open-gop=1:bframes=4"}


def blocks_of(data: bytes) -> BlockFile:
    """Bytes as a file that is read by ranges."""
    return BlockFile(lambda start, length: data[start : start + length], len(data))


def in_small_blocks(path: Path) -> BlockFile:
    """A file with almost no read-ahead, which shows the ranges that are asked for."""
    data = path.read_bytes()
    return BlockFile(lambda a, n: data[a : a + n], len(data), first_block=1024, largest_block=1024)


def learn(file: BinaryIO, name: str) -> Index:
    """The index of a source."""
    with open_media(file, name) as opened:
        index = index_packets(opened)
    assert index is not None
    return index


class RangedStore(MemoryStore):
    """A store whose objects are read by ranges, as in S3."""

    def source(self, key: str) -> str | BinaryIO:
        return blocks_of(self.get(key))


def plan_of(path: Path, by_path: bool, **more: Any) -> Plan:
    """The plan of a source that is given by its path, or as an object of the store."""
    store = RangedStore()
    given = {"name": path.name, "path": str(path)}
    if not by_path:
        store.put("in/source", path.read_bytes())
        given = {"name": path.name, "key": "in/source"}
    event = {"job": "j", "input": given, "container": "webm", "options": OPTIONS.to_json()}
    make_plan(event | more, Context(store))
    return Plan.from_json(store.get(Keys("j").plan))


def same(ours: list[VideoFrame], theirs: list[VideoFrame]) -> bool:
    """Whether pictures are equal."""
    return len(ours) == len(theirs) and all(
        np.array_equal(a, b)
        for x, y in zip(ours, theirs, strict=True)
        for a, b in zip(planes_of(x), planes_of(y), strict=True)
    )
