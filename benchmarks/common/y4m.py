"""Reads the y4m files that benchmarks.common.clips writes."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

import codec
from excamera.media.source.picture import Planes, frame_of


class Pictures:
    """The pictures of a y4m file, read on demand.

    Attributes:
        path: the file.
        width: in pixels.
        height: in pixels.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            head = file.readline()
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        tags = {tag[:1]: tag[1:] for tag in head.decode().split()[1:]}
        self.width, self.height = int(tags["W"]), int(tags["H"])
        self._chroma = ((self.height + 1) // 2, (self.width + 1) // 2)
        self._size = self.width * self.height + 2 * self._chroma[0] * self._chroma[1]
        self._start = len(head)

    def __len__(self) -> int:
        return (len(self._data) - self._start) // (len(b"FRAME\n") + self._size)

    def i420(self, number: int) -> bytes:
        """Returns one picture's planes, one after another."""
        start = self._start + number * (len(b"FRAME\n") + self._size) + len(b"FRAME\n")
        return self._data[start : start + self._size]

    def raster(self, number: int) -> codec.Raster:
        """Returns one picture for our codec."""
        return codec.Raster.from_i420(self.i420(number), self.width, self.height)

    def frame(self, number: int) -> VideoFrame:
        """Returns one picture for libvpx."""
        return frame_of(self.planes(number))

    def planes(self, number: int) -> Planes:
        """Returns one picture for numpy."""
        pixels = np.frombuffer(self.i420(number), np.uint8)
        luma, chroma = self.width * self.height, self._chroma[0] * self._chroma[1]
        y, u, v = np.split(pixels, (luma, luma + chroma))
        return (
            y.reshape(self.height, self.width),
            u.reshape(self._chroma),
            v.reshape(self._chroma),
        )
