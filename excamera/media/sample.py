"""A short moving test clip with sound, for trying the encoder without a film."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from excamera.media.source.picture import Planes, frame_of

_SOUND_RATE = 48_000
_SOUND_FRAME = 1024


@dataclass(frozen=True, slots=True)
class SampleClip:
    """The properties of the clip: size in pixels, frames a second, length in seconds."""

    width: int = 640
    height: int = 360
    rate: int = 24
    seconds: float = 4.0

    @property
    def frames(self) -> int:
        """Number of frames, at least 1."""
        return max(1, round(self.rate * self.seconds))


def _texture(height: int, width: int) -> NDArray[np.float64]:
    """Smooth random detail that tiles: noise with its high frequencies damped."""
    noise = np.random.default_rng(2017).standard_normal((height, width))
    fy = np.fft.fftfreq(height)[:, None] * height
    fx = np.fft.fftfreq(width)[None, :] * width
    spectrum = np.fft.fft2(noise) / (1.0 + (np.hypot(fy, fx) / 12.0) ** 1.5)
    field = np.real(np.fft.ifft2(spectrum))
    scaled: NDArray[np.float64] = field / np.abs(field).max()
    return scaled


def picture(clip: SampleClip, number: int) -> Planes:
    """Frame `number`: a panning background, and three discs that cross in front of it."""
    height, width = clip.height, clip.width
    time_s = number / clip.rate
    texture = np.roll(_background(height, width), (-number, -2 * number), axis=(0, 1))
    luma = 110 + 80 * texture
    half = (slice(None, None, 2), slice(None, None, 2))
    blue = 128 + 30 * texture[half]
    red = 128 - 24 * np.roll(texture, 40, axis=1)[half]
    y, x = np.mgrid[0:height, 0:width]
    for disc in range(3):
        phase = time_s * (0.6 + 0.25 * disc) + 2.1 * disc
        centre_x = width * (0.5 + 0.38 * np.cos(phase))
        centre_y = height * (0.5 + 0.34 * np.sin(1.3 * phase))
        inside = np.hypot(x - centre_x, y - centre_y) < height * (0.09 + 0.03 * disc)
        luma = np.where(inside, 60 + 65 * disc + 20 * np.sin((x - y) / 9), luma)
        blue = np.where(inside[half], 90 + 40 * disc, blue)
        red = np.where(inside[half], 180 - 40 * disc, red)
    planes = [np.clip(np.rint(p), 16, 235).astype(np.uint8) for p in (luma, blue, red)]
    return planes[0], planes[1], planes[2]


_kept: dict[tuple[int, int], NDArray[np.float64]] = {}


def _background(height: int, width: int) -> NDArray[np.float64]:
    if (height, width) not in _kept:
        _kept[height, width] = _texture(height, width)
    return _kept[height, width]


def _sound(start: int, count: int) -> NDArray[np.float32]:
    """Two slowly beating tones, one a channel, float32 of shape (2, count)."""
    t = (start + np.arange(count)) / _SOUND_RATE
    left = 0.2 * np.sin(2 * np.pi * 220 * t) * (1 + 0.5 * np.sin(2 * np.pi * t))
    right = 0.2 * np.sin(2 * np.pi * 277.18 * t) * (1 + 0.5 * np.cos(2 * np.pi * t))
    return np.stack([left, right]).astype(np.float32)


def write_sample(path: Path, clip: SampleClip | None = None) -> None:
    """Write the clip as H.264 and AAC.

    Args:
        path: new file whose extension names the container (.mp4, .mkv, ...).
        clip: its properties.
    """
    clip = clip or SampleClip()
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=clip.rate, options={"crf": "14"})
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        video.gop_size = 2 * clip.rate
        sound = out.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
        for number in range(clip.frames):
            frame = frame_of(picture(clip, number))
            frame.pts = number
            frame.time_base = Fraction(1, clip.rate)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        total = round(clip.frames / clip.rate * _SOUND_RATE)
        for start in range(0, total, _SOUND_FRAME):
            samples = _sound(start, min(_SOUND_FRAME, total - start))
            piece = AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            piece.sample_rate = _SOUND_RATE
            piece.pts = start
            piece.time_base = Fraction(1, _SOUND_RATE)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]))
