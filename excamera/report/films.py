"""The films that a report decodes: all of their pictures, or those of some spans."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from av.video.frame import VideoFrame

from excamera.errors import UnreadableFrame
from excamera.job.geometry import Geometry
from excamera.job.objects import Job
from excamera.media.source.media import open_media
from excamera.media.source.picture import bits_of, resized, to_i420
from excamera.media.source.reader import FrameReader, geometry_as_is, read_all
from mu import look_up, open_store
from mu.store.url import is_object_url

_NEAR_S = 0.0005
"""Half of the coarsest clock of a container."""


def opened(path: str) -> str | BinaryIO:
    """What a media library can read: a path, or an object that is read by ranges.

    Raises:
        NoSuchKey: there is no such object.
    """
    return look_up(path).open() if is_object_url(path) else path


@dataclass(frozen=True, slots=True)
class Span:
    """Frames that follow each other: those of a batch, where decoding can begin.

    Attributes:
        first: the number of the first.
        count: how many.
        time_s: when the result shows the first.
    """

    first: int
    count: int
    time_s: float


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures in order.

    Attributes:
        path: of a file, of numbered pictures, or the URL of an object; "" if a job's plan says what
            is read.
        job: a job: its source as the plan reads it, with trims, crops and filters.
        store: the URL of the store that has the job's objects.
        spans: the frames that are read; none for all.
        is_rung: whether it is one size of a ladder: what it is compared with is scaled to it.
    """

    path: str = ""
    job: str = ""
    store: str = ""
    spans: tuple[Span, ...] = ()
    is_rung: bool = False

    def fitted(self, source: VideoFrame, own: VideoFrame) -> VideoFrame:
        """A picture of what this film was made of, to be compared with its own.

        Workers scale the pictures of a ladder's source in the same way.
        """
        if not self.is_rung:
            return source
        return resized(source, Geometry(own.width, own.height, bits=bits_of(own)))

    def pictures(self) -> Iterator[tuple[int, VideoFrame]]:
        """The number of each frame, and its picture as I420, with 10 bits if it has more than 8.

        Raises:
            InputError: the film cannot be read.
        """
        if not self.path:
            yield from self._planned()
        elif self.spans:
            yield from self._sought()
        else:
            yield from enumerate(read_all(opened(self.path), self.path, deep=True))

    def _planned(self) -> Iterator[tuple[int, VideoFrame]]:
        """The source of a job."""
        store = open_store(self.store)
        plan = Job.load(store, self.job).plan
        wanted = {span.first for span in self.spans}
        first = 0
        with FrameReader.for_plan(plan, store, threads=0) as reader:
            for batch in plan.batches:
                if not wanted or first in wanted:
                    yield from enumerate(
                        (frame for chunk in batch.chunks for frame in reader.read(chunk)), first
                    )
                first += len(batch.pts)

    def _sought(self) -> Iterator[tuple[int, VideoFrame]]:
        """The spans of a file, each of which begins with a key frame."""
        with open_media(opened(self.path), self.path) as media:
            media.video.codec_context.thread_type = "AUTO"
            geometry = None
            for span in self.spans:
                target = round(span.time_s / media.time_base)
                media.container.seek(target, stream=media.video)
                found = (
                    frame
                    for frame in media.container.decode(media.video)
                    if frame.time is not None and frame.time > span.time_s - _NEAR_S
                )
                number = span.first
                for number, frame in enumerate(itertools.islice(found, span.count), span.first):
                    media.check()
                    geometry = geometry or geometry_as_is(frame, deep=True)
                    yield number, to_i420(frame, geometry)
                media.check()
                if number != span.first + span.count - 1:
                    raise UnreadableFrame(
                        f"{self.path}: frame {number + 1} is missing: damaged, or cut short"
                    )
