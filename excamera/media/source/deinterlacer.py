"""Whole pictures from interlaced ones, as many as there were.

FFmpeg's filter bwdif looks at the picture before and the one behind. It leaves pictures alone that
are not marked as interlaced. Its code for different processors gives equal bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

LEAD = 1
"""How many pictures before another one it needs."""

_PROGRESSIVE = frozenset({0, 1})
"""Of FFmpeg's field orders: unknown, and progressive."""


def is_interlaced(video: VideoStream) -> bool:
    """Whether a stream is said to hold interlaced pictures."""
    return int(video.codec_context.field_order) not in _PROGRESSIVE


def deinterlaced(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames as whole pictures, with the same timestamps."""
    graph: Graph | None = None
    shape: tuple[int, int, str] | None = None
    times: deque[int | None] = deque()
    for frame in frames:
        now = (frame.width, frame.height, frame.format.name)
        if graph is None or now != shape:
            if graph is not None:
                graph.push(None)
                yield from _ready(graph, times)
            graph, shape = _graph(frame), now
        times.append(frame.pts)
        frame.pts = None
        graph.push(frame)
        yield from _ready(graph, times)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, times)


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
    )
    filtering = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(filtering)
    filtering.link_to(sink)
    graph.configure()
    return graph


def _ready(graph: Graph, times: deque[int | None]) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        frame.pts = times.popleft()
        yield frame
