"""Decoding numbered pictures: each file is one frame, so workers read only those of their chunk."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Self

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from excamera.errors import MixedPictures, NotAVideo, UnreadablePicture
from excamera.job.geometry import Geometry
from excamera.media.source.exr import is_whole
from excamera.media.source.media import DECODER_OPTIONS, Opened, open_media
from excamera.media.source.numbered import Picture
from excamera.media.source.picture import geometry_of
from excamera.media.source.recorded import new_packet

# Otherwise what is missing of a JPEG is grey. (Of a TIFF, this refuses what is only unusual.)
_STRICT = {"mjpeg": {"err_detect": "explode"}}


@contextlib.contextmanager
def open_picture(picture: Picture) -> Iterator[Opened]:
    """Open a picture as a video of one frame.

    Raises:
        InputError: it cannot be read as one.
    """
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(open_media(picture.path, picture.path))
        except NotAVideo:
            opened = stack.enter_context(_by_ending(picture))
        if not any("image2" in name or name.endswith("_pipe") for name in opened.formats):
            kind = opened.container.format.name
            raise NotAVideo(f"{picture.path}: {kind} files cannot be read as numbered pictures")
        yield opened


@contextlib.contextmanager
def _by_ending(picture: Picture) -> Iterator[Opened]:
    """Some kinds of pictures are known by the endings of their names only."""
    options = {"pattern_type": "none"}
    try:
        container = av.open(picture.path, format="image2", options=options)
    except av.error.FFmpegError as error:
        raise NotAVideo(f"{picture.path}: not a picture") from error
    with container:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise NotAVideo(f"{picture.path}: not a picture")
        yield Opened(container, container.streams.video[0], picture.path)


@dataclass(frozen=True, slots=True)
class PictureList:
    """What workers know of numbered pictures.

    Attributes:
        codec: the name of their decoder.
        pictures: all.
    """

    codec: str
    pictures: tuple[Picture, ...]

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Self:
        """The list; the kind of the first picture is that of all.

        Raises:
            InputError: that one cannot be read.
        """
        with open_picture(pictures[0]) as opened:
            return cls(opened.video.codec_context.name, tuple(pictures))

    def to_json(self) -> bytes:
        """The list as it is stored."""
        return json.dumps([self.codec, *map(astuple, self.pictures)]).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The list that `to_json` returned."""
        codec, *pictures = json.loads(data)
        return cls(codec, tuple(Picture(*one) for one in pictures))

    def frames(
        self, first: int = 0, geometry: Geometry | None = None, threads: int = 1
    ) -> Iterator[VideoFrame]:
        """Frames with their numbers as timestamps.

        Args:
            first: number of the first that is wanted, from 0.
            geometry: of all; None takes that of this first one.
            threads: decoding threads; 0 lets the decoder choose.

        Raises:
            SourceChanged: a file is not the one that was found.
            MixedPictures: a picture is not as large as the others, or is turned.
            UnreadablePicture: one cannot be decoded.
        """
        context = av.CodecContext.create(self.codec, "r")
        assert isinstance(context, VideoCodecContext)
        context.options = DECODER_OPTIONS.get(self.codec, {}) | _STRICT.get(self.codec, {})
        context.thread_type = "SLICE"
        context.thread_count = threads
        for number, picture in enumerate(self.pictures[first:], first):
            frame = _decoded(picture, context)
            found = geometry_of(frame, (1, 1))
            geometry = geometry or found
            if _shape(found) != _shape(geometry):
                raise MixedPictures(
                    f"{picture.path}: {_told(found)}, unlike others of the sequence: "
                    f"{_told(geometry)}"
                )
            frame.pts = number
            yield frame


def _decoded(picture: Picture, context: VideoCodecContext) -> VideoFrame:
    data = picture.read()
    packet = new_packet(data)
    packet.is_keyframe = True  # else FFmpeg adds a PNG to the one before
    try:
        frames = context.decode(packet) if data and is_whole(data) else []
    except av.error.FFmpegError:
        frames = []
    if not frames or frames[0].is_corrupt:
        raise UnreadablePicture(
            f"{picture.path}: damaged, or not the kind of picture that the first one is "
            f"({context.name})"
        )
    return frames[0]


def _shape(geometry: Geometry) -> tuple[int, int, int, bool]:
    return (
        geometry.source_width,
        geometry.source_height,
        geometry.quarter_turns,
        geometry.flipped,
    )


def _told(geometry: Geometry) -> str:
    turned = ", turned" if geometry.quarter_turns or geometry.flipped else ""
    return f"{geometry.source_width}x{geometry.source_height} pixels{turned}"
