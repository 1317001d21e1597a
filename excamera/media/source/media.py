"""Opening a source with PyAV; every refusal is a named error."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from excamera.errors import (
    EncryptedSource,
    InputError,
    InputIsDirectory,
    InputNotReadable,
    NoFrames,
    NoSuchInput,
    NotAVideo,
    NoVideoStream,
    SourceUnavailable,
    TruncatedSource,
    UnknownCodec,
)
from excamera.media.source.boxes import index_is_cut
from excamera.media.source.encryption import encrypted_streams, may_be_encrypted
from excamera.media.source.guard import GuardedFile, guarded

# Demuxers that take any text or bytes for a picture.
_CATCH_ALL_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
# Formats whose clock starts at any value: their first timestamp becomes 0.
_ARBITRARY_CLOCKS = frozenset({"mpegts", "mpeg", "mpegtsraw", "rtsp", "rtp"})
_MEBIBYTE = 1 << 20
_MOST_ERRORS = 100  # of a container in a row

DECODER_OPTIONS = {"exr": {"apply_trc": "iec61966_2_1"}}
"""By decoder. OpenEXR is in linear light, which players show far too dark: it gets sRGB's curve."""
# What a playlist may name: in a local file, what FFmpeg allows for a path. Any other source
# must not make this machine open its own files.
_PROTOCOLS_OF_A_PATH = "file,crypto,data"
_PROTOCOLS_OF_A_FILE_OBJECT = "crypto,data"


@dataclass(frozen=True, slots=True)
class Opened:
    """An open source and its chosen video stream.

    Attributes:
        container: PyAV's.
        video: the stream.
        name: the source's name in messages.
        file: the file that the container reads; None if FFmpeg reads by itself (a pipe, a URL).
        encrypted: indices of encrypted streams; they are looked for if the stream was not known.
    """

    container: InputContainer
    video: VideoStream
    name: str
    file: GuardedFile | None = None
    encrypted: frozenset[int] = frozenset()

    def check(self) -> None:
        """Raise the error of reading the file, if there was one, whatever FFmpeg made of it.

        Raises:
            SourceUnavailable: for an `OSError`; the file's other errors are raised as they are.
        """
        if self.file is not None:
            self.file.check()

    def failed_to_read(self, error: av.error.FFmpegError) -> bool:
        """Whether an error is of reading, not of what was read: decoders raise any kind of them.

        A file that is not FFmpeg's own tells its errors by `check`.
        """
        return self.file is None and isinstance(error, OSError)

    @property
    def formats(self) -> frozenset[str]:
        """Names of the container format, such as {"mov", "mp4", ...}."""
        return frozenset(self.container.format.name.split(","))

    @property
    def arbitrary_clock(self) -> bool:
        """Whether timestamps may start far from 0."""
        return bool(self.formats & _ARBITRARY_CLOCKS)

    @property
    def time_base(self) -> Fraction:
        """Seconds of one tick of the stream's timestamps."""
        return self.video.time_base or Fraction(1, 1000)

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second as the file states them, else 25."""
        for rate in (self.video.average_rate, self.video.base_rate, self.video.guessed_rate):
            if rate:
                return Fraction(rate)
        return Fraction(25)


@contextlib.contextmanager
def open_media(source: str | BinaryIO, name: str, stream: int | None = None) -> Iterator[Opened]:
    """Open a source and choose its video stream.

    Args:
        source: a path, a URL or a seekable binary file, which is read from its byte 0.
        name: the source's name in messages.
        stream: index of the video stream; None for the default one, or else the first, that is
            not a cover picture.

    Raises:
        InputError: there is no such file, it is not media, or has no video stream.
        SourceUnavailable: it could not be read. An error that the binary file raised of its
            own, other than an `OSError`, is raised unchanged.
    """
    with open_container(source, name) as (container, file):
        formats = set(container.format.name.split(","))
        if formats & _CATCH_ALL_FORMATS:
            raise NotAVideo(f"{name}: not a video")
        if file is not None and "mov" in formats and index_is_cut(file):
            raise _cut_before_index(name)
        videos = [
            video
            for video in container.streams.video
            if (stream is None and not video.disposition & video.disposition.attached_pic)
            or video.index == stream
        ]
        encrypted = encrypted_streams(file, container) if stream is None else frozenset()
        if videos and all(video.index in encrypted for video in videos):
            raise encrypted_source(name)
        videos = [video for video in videos if video.index not in encrypted]
        # The default one first; otherwise the container's order.
        videos.sort(key=lambda video: not video.disposition & video.disposition.default)
        if not videos:
            raise NoVideoStream(f"{name}: no video stream")
        if videos[0].codec_context is None:
            raise UnknownCodec(f"{name}: no decoder for its video stream")
        context = videos[0].codec_context
        context.options = DECODER_OPTIONS.get(context.name, {})
        yield Opened(container, videos[0], name, file, encrypted)


@contextlib.contextmanager
def open_container(
    source: str | BinaryIO, name: str
) -> Iterator[tuple[InputContainer, GuardedFile | None]]:
    """Open a source for any of its streams; see `open_media`.

    Yields the container and the file that it reads, None if FFmpeg reads by itself.
    """
    if isinstance(source, str) and Path(source).is_dir():
        raise InputIsDirectory(f"{name}: is a directory")
    with guarded(source, name) as file, _opened(source, file, name) as container:
        yield container, file


def demux(container: InputContainer, *streams: Stream) -> Iterator[Packet[Any]]:
    """The packets of some streams, as `InputContainer.demux` returns them.

    That stops at a packet of a stream which has appeared in the middle of the file; such packets
    are passed over here.
    """
    while True:
        try:
            yield from container.demux(*streams)
            return
        except IndexError:
            continue


def demux_past_damage(container: InputContainer, *streams: Stream) -> Iterator[Packet[Any]]:
    """The same. Behind a damaged part of the container, reading goes on.

    Raises:
        av.error.FFmpegError: after too many errors in a row.
    """
    errors = 0
    while True:
        try:
            for packet in demux(container, *streams):
                errors = 0
                yield packet
            return
        except av.error.FFmpegError:
            errors += 1
            if errors > _MOST_ERRORS:
                raise


def _opened(source: str | BinaryIO, file: GuardedFile | None, name: str) -> InputContainer:
    try:
        if file is None:
            assert isinstance(source, str)
            return av.open(source, mode="r")
        of_path = isinstance(source, str)
        protocols = _PROTOCOLS_OF_A_PATH if of_path else _PROTOCOLS_OF_A_FILE_OBJECT
        return av.open(file, mode="r", options={"protocol_whitelist": protocols})
    except FileNotFoundError as error:
        raise NoSuchInput(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise InputIsDirectory(f"{name}: is a directory") from error
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise _not_media(file, name) from error
    except PermissionError as error:
        raise InputNotReadable(f"{name}: permission denied") from error
    except (OSError, av.error.FFmpegError) as error:
        raise SourceUnavailable(f"{name}: cannot be read: {error.strerror}") from error


def fingerprint(source: str | BinaryIO) -> str:
    """SHA-256 of a source's size and of its first and last mebibyte, in hexadecimal.

    Enough to notice that a job's directory belongs to another source.

    Raises:
        SourceUnavailable: it could not be read, or is no plain file.
    """
    label = source if isinstance(source, str) else "source"
    with guarded(source, label) as file:
        if file is None:
            raise SourceUnavailable(f"{label}: not a file")
        digest = hashlib.sha256(str(file.size).encode())
        for start in (0, max(0, file.size - _MEBIBYTE)):
            digest.update(file.read_at(start, _MEBIBYTE))
    return digest.hexdigest()


def encrypted_source(name: str) -> EncryptedSource:
    """The error for an encrypted source."""
    return EncryptedSource(
        f"{name}: is encrypted (copy protection); ExCamera has no key for it, so give it a copy "
        "that is not"
    )


def _not_media(file: GuardedFile | None, name: str) -> InputError:
    """Distinguish a file that was cut off before its index from one that is not a video."""
    if file is not None and may_be_encrypted(file):
        return encrypted_source(name)
    head = file.read_at(0, 16) if file is not None else b""
    if head[4:8] == b"ftyp" or head[:4] in (b"\x1a\x45\xdf\xa3", b"RIFF"):
        return _cut_before_index(name)
    if head.startswith(b"YUV4MPEG2"):
        return NoFrames(f"{name}: has no frames")
    return NotAVideo(f"{name}: not a video")


def _cut_before_index(name: str) -> TruncatedSource:
    return TruncatedSource(f"{name}: truncated or damaged before its index; 0 frames could be read")
