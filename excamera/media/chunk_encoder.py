"""Encoding a chunk with libvpx: one key frame, then inter frames, one quantiser."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from excamera.errors import ChunkError
from excamera.job.options import EncodeOptions
from excamera.media.codecs import VP8

_NO_MORE_KEY_FRAMES = 9999
_UNLIMITED_RATE = 1_000_000_000


def vpx_options(options: EncodeOptions) -> dict[str, str]:
    """Settings of libvpx for a chunk, by FFmpeg's option names.

    With equal least and greatest quantiser every frame gets `crf`. A key frame offset
    lowers the least; "constrained quality" then keeps inter frames at `crf` while the
    unlimited rate lets the key frame sink to the least.

    With the realtime deadline libvpx takes a speed of 0 or more as a share of the processor, and
    adapts to how long its own work took. A negative speed is fixed.
    """
    vpx = options.vpx
    cpu_used = vpx.cpu_used
    if vpx.deadline == "realtime":
        cpu_used = -max(1, abs(cpu_used))
    # A key frame distance with equal bounds also switches off scene-cut key frames.
    return {
        "deadline": vpx.deadline,
        "cpu-used": str(cpu_used),
        "tune": vpx.tune,
        "lag-in-frames": str(vpx.lag_in_frames),
        "auto-alt-ref": str(vpx.auto_alt_ref),
        "crf": str(options.crf),
        "qmin": str(max(0, options.crf + vpx.key_frame_q_offset)),
        "qmax": str(options.crf),
        "g": str(_NO_MORE_KEY_FRAMES),
        "keyint_min": str(_NO_MORE_KEY_FRAMES),
    }


def encode_chunk(pictures: Iterable[VideoFrame], options: EncodeOptions) -> list[bytes]:
    """Encode consecutive pictures of one size as one chunk.

    The encoder always gets a constant frame rate, so the bytes do not depend on timestamps.

    Args:
        pictures: I420 frames; their timestamps and types are overwritten.
        options: quality and settings.

    Returns:
        The coded frames; hidden altref frames, if the settings allow them, stand where they
        must be decoded.

    Raises:
        ChunkError: libvpx did not return one key frame first and one shown frame per
            picture.
    """
    context: VideoCodecContext | None = None
    coded: list[bytes] = []
    count = 0
    for frame in pictures:
        if context is None:
            context = _encoder(frame.width, frame.height, options)
        frame.pts = count
        frame.time_base = context.time_base
        # Left by the source's decoder; libvpx would make a key frame of every I picture.
        frame.pict_type = PictureType.NONE
        frame.duration = 0
        count += 1
        coded.extend(bytes(packet) for packet in context.encode(frame))
    if context is not None:
        coded.extend(bytes(packet) for packet in context.encode(None))
    check_chunk(coded, count)
    return coded


def _encoder(width: int, height: int, options: EncodeOptions) -> VideoCodecContext:
    context = av.CodecContext.create("libvpx", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate = Fraction(30)
    context.time_base = Fraction(1, 30)
    context.thread_count = 1
    context.bit_rate = _UNLIMITED_RATE
    context.options = vpx_options(options)
    return context


def check_chunk(coded: list[bytes], count: int) -> None:
    """Make sure that coded frames are a chunk of `count` pictures.

    Raises:
        ChunkError: they are not.
    """
    shown = sum(VP8.is_shown(frame) for frame in coded)
    keys = [number for number, frame in enumerate(coded) if VP8.is_key_frame(frame)]
    if shown != count or keys != [0]:
        raise ChunkError(f"libvpx gave {shown} frames for {count}, key frames at {keys}")
