"""Reading exactly the planned frames of a source, in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import BinaryIO, Self

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from excamera.errors import NoFrames, SourceMismatch, SourceUnavailable, UnreadableFrame
from excamera.job.batches import Chunk
from excamera.job.geometry import Geometry
from excamera.job.plan import Plan
from excamera.media.filters.parts import FilterRun
from excamera.media.source.decoder import counted, packets_of
from excamera.media.source.deinterlacer import deinterlaced
from excamera.media.source.framing import cropped, sized
from excamera.media.source.location import locate
from excamera.media.source.media import Opened, open_media
from excamera.media.source.numbered import find_pictures, is_sequence
from excamera.media.source.picture import bits_of, geometry_of, to_i420
from excamera.media.source.pictures import PictureList
from excamera.media.source.recorded import RecordedPackets
from mu import Store

Timed = tuple[int | None, VideoFrame]
"""A frame and its time in the source."""


class FrameReader:
    """Reads chunks of one source; reading forward decodes nothing twice.

    Args:
        source: path, URL or seekable binary file.
        plan: for the stream and the geometry of the pictures.
        threads: decoding threads; 0 lets the decoder choose. A source that was indexed by decoding
            is always decoded by one.
        packets: the recorded packets of the stream, if the plan has some: a path or a binary file.
        pictures: the numbered pictures, if the source is a sequence of these.
    """

    def __init__(
        self,
        source: str | BinaryIO,
        plan: Plan,
        threads: int = 1,
        packets: str | BinaryIO | None = None,
        pictures: PictureList | None = None,
    ) -> None:
        self._source = source
        self._packets = packets
        self._pictures = pictures
        self._plan = plan
        self._threads = threads
        self._stack = contextlib.ExitStack()
        self._opened: Opened | None = None
        self._frames: Iterator[VideoFrame] | None = None
        self._last: int | None = None
        self._wanted = 0  # number of the frame that is being looked for
        self._held: Timed | None = None  # the last, if it may be repeated
        self._run: FilterRun | None = None

    @classmethod
    def for_plan(cls, plan: Plan, store: Store, threads: int = 1) -> FrameReader:
        """A reader for the file that a plan's workers read."""
        if plan.source.pictures is not None:
            pictures = PictureList.from_json(store.get(plan.source.pictures))
            return cls("", plan, threads, pictures=pictures)
        key = plan.source.packets
        packets = None if key is None else store.look_up(key).open()
        return cls(locate(plan.source, store), plan, threads, packets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the source."""
        self._opened = None
        self._frames = None
        self._last = None
        self._held = None
        self._stack.close()

    def read(self, chunk: Chunk) -> Iterator[VideoFrame]:
        """The chunk's pictures as I420 frames, one for every planned timestamp.

        Raises:
            SourceMismatch: the source does not have exactly these frames.
            UnreadableFrame: a frame cannot be decoded.
            SourceUnavailable: the source cannot be read.
            OptionError: a filter fails, or does not make one frame of each.
        """
        found = self._filtered(chunk) if self._plan.options.vf else self._upright(chunk)
        for picture in found:
            yield sized(picture, self._plan.geometry)

    def _filtered(self, chunk: Chunk) -> Iterator[VideoFrame]:
        """The pictures as the filters make them, as if they had seen the whole film."""
        run, self._run = self._run, None
        if run is None or not run.goes_on_with(chunk):
            run = FilterRun(self._plan, chunk)
        rest = run.missing(chunk)
        pictures = self._upright(rest) if rest.pts else iter(())
        yield from run.filtered(chunk, zip(rest.pts, pictures, strict=True))
        self._run = run

    def _upright(self, chunk: Chunk) -> Iterator[VideoFrame]:
        """The planned pictures, cropped, in I420."""
        geometry = self._plan.geometry
        found = self._repeated(chunk) if self._plan.repeats else self._in_turn(chunk)
        for number, (pts, frame) in enumerate(found):
            if pts != chunk.read_pts[number]:
                raise SourceMismatch(
                    f"{self._plan.source.name}: frame {chunk.first_frame + number} was planned "
                    f"at {chunk.read_pts[number]}, found at {pts}"
                )
            yield cropped(to_i420(frame, geometry), geometry)

    def _in_turn(self, chunk: Chunk) -> Iterator[Timed]:
        """The chunk's frames, which follow each other in the source."""
        for number in range(len(chunk.read_pts)):
            self._wanted = chunk.first_frame + number
            yield self._there(self._go_to(chunk) if number == 0 else self._next())

    def _repeated(self, chunk: Chunk) -> Iterator[Timed]:
        """The chunk's frames, which may be repeated, or have others between them."""
        for number, wanted in enumerate(chunk.read_pts):
            self._wanted = chunk.first_frame + number
            if self._held is None or self._held[0] != wanted:
                frame = self._go_to(chunk) if number == 0 else self._skip_to(wanted)
                self._held = self._there(frame)
            yield self._held

    def _there(self, frame: VideoFrame | None) -> Timed:
        if frame is None:
            raise SourceMismatch(f"{self._plan.source.name}: ends before frame {self._wanted}")
        return frame.pts, frame

    def _go_to(self, chunk: Chunk) -> VideoFrame | None:
        """The chunk's first frame, by reading on or by seeking."""
        wanted = chunk.read_pts[0]
        # Of several frames with one time, the first stands for all if others may be dropped.
        skip = 0 if self._plan.repeats else chunk.skip
        near = not chunk.seek or (self._last is not None and chunk.seek[0] <= self._last)
        if self._last is not None and self._last < wanted and near:
            frame = self._skip_to(wanted, skip)
            if frame is not None and frame.pts == wanted:
                return frame
        frame = None
        for target in (*chunk.seek, None):
            self._start(target)
            frame = self._skip_to(wanted, skip)
            if frame is not None and frame.pts == wanted:
                return frame
        return frame

    def _skip_to(self, wanted: int, skip: int = 0) -> VideoFrame | None:
        while (frame := self._next()) is not None:
            if frame.pts is not None and frame.pts >= wanted:
                if frame.pts == wanted and skip:
                    skip -= 1
                    continue
                return frame
        return None

    def _start(self, target: int | None) -> None:
        self.close()
        if self._pictures is not None:
            self._frames = self._pictures.frames(target or 0, self._plan.geometry, self._threads)
            return
        opened = self._stack.enter_context(
            open_media(self._source, self._plan.source.name, self._plan.source.stream)
        )
        self._opened = opened
        by_number = self._plan.source.indexed_by == "decoding"
        frames = self._counted(opened, target) if by_number else self._sought(opened, target)
        if self._plan.deinterlaced:
            frames = deinterlaced(frames)
            if target is not None:
                # It lacks the one before it.
                next(frames, None)
        self._frames = frames
        self._check()

    def _sought(self, opened: Opened, target: int | None) -> Iterator[VideoFrame]:
        """The frames that the container gives from a timestamp on."""
        context = opened.video.codec_context
        context.thread_count = self._threads
        context.thread_type = "AUTO" if self._threads != 1 else "NONE"
        if target is not None:
            # If seeking fails, the caller notices that the frame is missing.
            with contextlib.suppress(av.error.FFmpegError):
                opened.container.seek(target, stream=opened.video)
        return opened.container.decode(opened.video)

    def _counted(self, opened: Opened, target: int | None) -> Iterator[VideoFrame]:
        """The frames from a place where decoding can start, or from the first."""
        context = opened.video.codec_context
        if self._packets is None:
            return counted(context, packets_of(opened), None)
        recorded = self._stack.enter_context(RecordedPackets.open(self._packets))
        entry = None if target is None else recorded.entry(target)
        offset = 0 if entry is None else entry.offset
        return counted(context, recorded.packets(offset, lambda: with_palette(opened)), entry)

    def _check(self) -> None:
        if self._opened is None:
            return
        try:
            self._opened.check()
        except BaseException:
            self.close()  # the next attempt starts from the beginning
            raise

    def _next(self) -> VideoFrame | None:
        assert self._frames is not None
        try:
            frame = self._decode()
        finally:
            self._check()
        self._last = None if frame is None else frame.pts
        return frame

    def _decode(self) -> VideoFrame | None:
        assert self._frames is not None
        try:
            frame = next(self._frames, None)
            by_number = self._plan.source.indexed_by == "decoding"
            if frame is not None and frame.is_corrupt and not by_number:
                raise self._damaged("parts are missing")
            return frame
        except av.error.FFmpegError as error:
            if self._opened is not None and self._opened.failed_to_read(error):
                raise SourceUnavailable(f"{self._plan.source.name}: {error.strerror}") from error
            raise self._damaged(error.strerror or "cannot be decoded") from error
        except OSError as error:
            raise SourceUnavailable(f"{self._plan.source.name}: {error.strerror}") from error

    def _damaged(self, why: str) -> UnreadableFrame:
        return UnreadableFrame(
            f"{self._plan.source.name}: damaged ({why}); {self._wanted} frames could be read"
        )


def with_palette(opened: Opened) -> Packet[VideoStream] | None:
    """The next packet of a source that has a palette."""
    return next((one for one in packets_of(opened) if one.has_sidedata("palette")), None)


def geometry_as_is(frame: VideoFrame, *, deep: bool) -> Geometry:
    """The geometry of a source's pictures as they are, by its first frame.

    Args:
        frame: the first.
        deep: whether a source of more than 8 bits has 10.
    """
    geometry = geometry_of(frame, (1, 1))
    return replace(geometry, bits=10) if deep and bits_of(frame) > geometry.bits else geometry


def read_all(source: str | BinaryIO, name: str, *, deep: bool = False) -> Iterator[VideoFrame]:
    """Every frame of a source from its start, as `to_i420` returns it.

    Args:
        source: path, URL or seekable binary file.
        name: its name in messages.
        deep: whether a source of more than 8 bits has 10 here.

    Raises:
        InputError: the source cannot be read as a video.
    """
    geometry: Geometry | None = None
    count = 0

    def upright(frame: VideoFrame) -> VideoFrame:
        nonlocal geometry
        geometry = geometry or geometry_as_is(frame, deep=deep)
        return to_i420(frame, geometry)

    if isinstance(source, str) and is_sequence(source):
        for frame in PictureList.of(find_pictures(source, name).pictures).frames():
            yield upright(frame)
        return
    with open_media(source, name) as opened:
        opened.video.codec_context.thread_type = "AUTO"
        try:
            for frame in opened.container.decode(opened.video):
                opened.check()
                yield upright(frame)
                count += 1
        except av.error.FFmpegError as error:
            opened.check()
            if opened.failed_to_read(error):
                raise SourceUnavailable(f"{name}: {error.strerror}") from error
            raise UnreadableFrame(
                f"{name}: damaged ({error.strerror}); {count} frames could be read"
            ) from error
    if geometry is None:
        raise NoFrames(f"{name}: has no frames")
