"""A film as the steps of a job see it, and whole films as FFmpeg's own filters make them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from excamera.job.batches import Chunk
from excamera.job.draft import Draft
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.media.source.reader import FrameReader
from excamera.steps.index import index
from mu import Context, MemoryStore
from tests.pipeline.clips import i420


class Film:
    """A source and its options as the steps see them, without an encode."""

    def __init__(self, source: Path | str, container: str = "webm", **options: Any) -> None:
        self.store = MemoryStore()
        context = Context(store=self.store)
        given = EncodeOptions(chunk_frames=5, batch_chunks=2, **options)
        index(
            {
                "job": "film",
                "input": {"name": Path(source).name, "path": str(source)},
                "container": container,
                "options": given.to_json(),
                "index": "auto",
                "limits": {"processes": 2},
            },
            context,
        )
        draft = Draft.load(self.store, Keys("film"))
        self.plan: Plan = draft.plan
        self.frames = draft.frames

    def chunk(self, first: int, end: int) -> Chunk:
        """Some frames, as a worker is told of them."""
        return self.frames.chunk(0, first, end)

    def read(self, *borders: int) -> list[bytes]:
        """The pictures between the borders, by a reader that goes on from chunk to chunk."""
        with FrameReader.for_plan(self.plan, self.store) as reader:
            return [
                i420(frame)
                for pair in pairwise(borders)
                for frame in reader.read(self.chunk(*pair))
            ]

    def pictures(self) -> list[bytes]:
        """All pictures."""
        return self.read(0, len(self.frames))

    def check_from_anywhere(self, wanted: list[bytes]) -> None:
        """Check that each worker gets its part of these pictures, wherever it begins."""
        count = len(wanted)
        assert differing(self.pictures(), wanted) == []
        for first in range(0, count, 3):
            part = self.read(first, min(count, first + 4))
            assert differing(part, wanted[first : first + 4]) == [], first
        assert differing(self.read(*range(0, count, 4), count), wanted) == []


def differing(found: list[bytes], wanted: list[bytes]) -> list[int]:
    """Numbers of the pictures that are not the same."""
    assert len(found) == len(wanted)
    return [n for n, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1]]


def filtered(source: Path, *filters: tuple[str, str]) -> list[VideoFrame]:
    """All frames of a source as FFmpeg's filters return them for the whole film."""
    with av.open(str(source)) as container:
        graph = Graph()
        nodes = [
            graph.add_buffer(template=container.streams.video[0]),
            *(graph.add(name, given) for name, given in filters),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        found = []

        def pull() -> None:
            while True:
                try:
                    found.append(graph.vpull())
                except (av.error.BlockingIOError, av.error.EOFError):
                    return

        for frame in container.decode(video=0):
            graph.push(frame)
            pull()
        graph.push(None)
        pull()
    return found
