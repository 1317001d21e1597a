"""Films whose results have parts: noise does not compress."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def write_noise(path: Path, frames: int) -> Path:
    """Writes a film of noise; at `crf` 0, 18 of its frames take more than 5 MiB."""
    noise = np.random.default_rng(5)
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 512, 448, "yuv444p"
        for number in range(frames):
            picture = noise.integers(0, 255, (3, 448, 512), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv444p")
            frame.pts = number
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path
