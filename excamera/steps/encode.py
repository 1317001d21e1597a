"""Step 2: encode one chunk with libvpx."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import codec
from excamera.job.objects import Keys, finish, finished, load
from excamera.job.plan import Chunk, Plan
from excamera.media.chunk_encoder import encode_chunk
from excamera.media.container import ivf
from excamera.media.source.reader import FrameReader
from mu import Context, Event

Item = TypeVar("Item")

_open_readers: dict[str, FrameReader] = {}
"""The source this process read last, still open: a worker mostly goes on where it was."""


def encode(event: Event, context: Context) -> Event:
    """Encode one chunk to its IVF object.

    Args:
        event: `job`, `batch` and `chunk` numbers.
        context: the store.

    Returns:
        `frames` (shown) and `bytes` of the chunk.

    Raises:
        SourceMismatch: the source does not give exactly the planned frames.
        ChunkError: libvpx did not make a chunk of them.
    """
    started = time.time()
    keys = Keys(event["job"])
    plan = load(context.store, keys, event["batch"])
    digest = plan.digest
    key = keys.chunk(event["batch"], event["chunk"])
    record = finished(context.store, key, digest)
    if record is None:
        chunk = plan.batch(event["batch"]).chunks[event["chunk"]]
        reader = _reader(plan, digest, context)
        coded = encode_chunk(marked(reader.read(chunk), context), plan.options)
        context.mark("computed")
        geometry = plan.geometry
        data = ivf.header(geometry.width, geometry.height, plan.time_base, len(coded))
        data += ivf.frames(stamped(coded, chunk))
        record = {
            "frames": len(chunk.pts),
            "bytes": sum(len(frame) for frame in coded),
            "started": started,
            "finished": time.time(),
        }
        record = finish(context.store, key, data, digest, record)
        context.mark("stored")
    return {"frames": record["frames"], "bytes": record["bytes"]}


def marked(items: Iterable[Item], context: Context) -> Iterator[Item]:
    """The items, marking in the timeline when the last was there.

    A worker reads its source while it works: what is left then is the last item's work.
    """
    yield from items
    context.mark("fetched")


def stamped(coded: list[bytes], chunk: Chunk) -> list[tuple[int, bytes]]:
    """Coded frames with timestamps; a hidden frame has that of the next shown one."""
    records = []
    number = 0
    for frame in coded:
        records.append((chunk.pts[min(number, len(chunk.pts) - 1)], frame))
        number += codec.is_shown(frame)
    return records


def _reader(plan: Plan, digest: str, context: Context) -> FrameReader:
    place = f"{digest} {plan.source.path} {plan.source.key}"
    if place not in _open_readers:
        for old in _open_readers.values():
            old.close()
        _open_readers.clear()
        _open_readers[place] = FrameReader.for_plan(plan, context.store)
    return _open_readers[place]
