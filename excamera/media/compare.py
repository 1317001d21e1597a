"""Comparing two videos frame by frame, by frame number."""

from __future__ import annotations

from collections.abc import Iterator

from excamera.errors import FrameCountDiffers, FrameSizeDiffers
from excamera.media.quality import FrameQuality, frame_quality
from excamera.media.source.picture import Planes, planes_of
from excamera.media.source.reader import read_all


def compare_files(reference: str, distorted: str) -> Iterator[FrameQuality]:
    """Quality of every frame of `distorted` against the frame of the same number.

    Both are read as an encode reads its source: as I420, with rotation applied; if one has more
    than 8 bits, with 10.

    Args:
        reference: path of the original.
        distorted: path of the result.

    Raises:
        FrameSizeDiffers: the pictures differ in size.
        FrameCountDiffers: one video has more frames; the message states both counts.
        InputError: one of them cannot be read.
    """
    ours = map(planes_of, read_all(reference, reference, deep=True))
    theirs = map(planes_of, read_all(distorted, distorted, deep=True))
    number = 0
    while True:
        a, b = next(ours, None), next(theirs, None)
        if a is None or b is None:
            more_a = _rest(a, ours)
            more_b = _rest(b, theirs)
            if more_a or more_b:
                raise FrameCountDiffers(
                    f"{reference} has {number + more_a} frames, {distorted} has {number + more_b}"
                )
            return
        if a[0].shape != b[0].shape:
            raise FrameSizeDiffers(
                f"{reference} is {_size(a)}, {distorted} is {_size(b)} at frame {number}"
            )
        yield frame_quality(a, b)
        number += 1


def _rest(first: Planes | None, others: Iterator[Planes]) -> int:
    return 0 if first is None else 1 + sum(1 for _ in others)


def _size(planes: Planes) -> str:
    height, width = planes[0].shape
    return f"{width}x{height}"
