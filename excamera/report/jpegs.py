"""Small pictures for a page: JPEG, which every browser shows."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from excamera.media.source.picture import Plane, frame_of, planes_of

_GAIN = 8
"""Times that a difference is brighter than it is: one of 3 of 255 could not be seen."""


def fitting(frame: VideoFrame, width: int) -> tuple[int, int]:
    """The size of a frame in at most that width, in px: even, and at least 2."""
    scale = min(1.0, width / frame.width)
    return max(2, round(frame.width * scale / 2) * 2), max(2, round(frame.height * scale / 2) * 2)


def jpeg(frame: VideoFrame, width: int, quantizer: int) -> bytes:
    """A frame as JPEG.

    Args:
        frame: I420.
        width: at most, in px.
        quantizer: 2 is the best, 31 the worst.
    """
    wide, high = fitting(frame, width)
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = wide, high
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.qmin = encoder.qmax = quantizer
    full = frame.reformat(wide, high, "yuvj420p")
    full.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(full), *encoder.encode(None)))


def difference(one: VideoFrame, other: VideoFrame) -> VideoFrame:
    """How far the luma of two frames of equal size is apart, eight times as bright."""
    a, b = _luma(one), _luma(other)
    apart = np.abs(a.astype(np.int16) - b.astype(np.int16)) * _GAIN
    luma: Plane = np.minimum(16 + apart, 235).astype(np.uint8)
    grey = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, np.uint8)
    return frame_of((luma, grey, grey))


def _luma(frame: VideoFrame) -> Plane:
    """The luma in 8 bits."""
    plane = planes_of(frame)[0]
    return plane if plane.dtype == np.uint8 else (plane >> 2).astype(np.uint8)
