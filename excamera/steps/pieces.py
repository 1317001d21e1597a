"""What the steps that code pictures share: frames as IVF objects, marks in the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from av.video.frame import VideoFrame

import codec
from excamera.job.plan import Plan
from excamera.media.codecs import OutputCodec
from excamera.media.container import ivf
from excamera.media.container.ivf_output import Ivf
from excamera.media.container.protocol import Stamped
from excamera.media.source.picture import planes_of
from mu import Context

Item = TypeVar("Item")

_PIECES = Ivf()

CODEC: OutputCodec = _PIECES.codec
"""The codec of pieces."""


def piece(plan: Plan, frames: Sequence[Stamped]) -> bytes:
    """Coded frames as an object; of no frames, a header alone."""
    data, _ = _PIECES.batch(plan, frames, last=False)
    return _PIECES.header(plan, len(frames)) + data


def frames_of(data: bytes) -> list[Stamped]:
    """The frames of an object that `piece` made."""
    return [(frame.pts, frame.data) for frame in ivf.parse(data, CODEC).frames]


def raster_of(frame: VideoFrame) -> codec.Raster:
    """A picture of the source as our codec takes it."""
    return codec.Raster.from_planes(*planes_of(frame))


def marked(items: Iterable[Item], context: Context) -> Iterator[Item]:
    """The items; the timeline gets the mark "fetched" after the last one.

    A worker reads its source while it works: after the mark only the last item's work is left.
    """
    yield from items
    context.mark("fetched")
