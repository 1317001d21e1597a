"""Small generated sources of every kind, made with PyAV: a pan, with clicks for sound."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from excamera.media.priority import usual_priority
from excamera.media.source.picture import Planes, frame_of

RATE = 48_000


def moving_picture(number: int, width: int = 96, height: int = 64) -> Planes:
    """Returns one frame of a pan: every frame differs, and is smooth enough to code well."""
    y, x = np.mgrid[0:height, 0:width]
    shift = 1.5 * number
    luma = 120 + 50 * np.sin((x + shift) / 9) + 40 * np.cos((y - shift / 2) / 7)
    half = (slice(None, None, 2), slice(None, None, 2))
    blue = (128 + 40 * np.sin((x - shift) / 17))[half]
    red = (128 + 40 * np.cos((y + shift) / 13))[half]
    planes = [np.clip(p, 16, 235).astype(np.uint8) for p in (luma, blue, red)]
    return planes[0], planes[1], planes[2]


@dataclass
class Clip:
    """The description of a source; `pts` are in `time_base`."""

    frames: int = 20
    width: int = 96
    height: int = 64
    encoder: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"crf": "10"})
    pix_fmt: str = "yuv420p"
    rate: int = 25
    pts: list[int] | None = None
    time_base: Fraction | None = None
    rotation: int = 0
    sample_aspect: Fraction | None = None
    sound: str = ""  # an encoder's name
    channels: str = "stereo"
    sound_start_s: float = 0.0
    sound_s: float | None = None
    container_options: dict[str, str] = field(default_factory=dict)
    chapters: list[Any] = field(default_factory=list)  # as PyAV takes them

    def write(self, path: Path, container: str | None = None) -> Path:
        """Writes the clip; `container` names the format if the extension does not."""
        with av.open(str(path), "w", format=container, options=self.container_options) as out:
            video = out.add_stream(self.encoder, rate=self.rate, options=self.options)
            assert isinstance(video, VideoStream)
            if self.chapters:
                out.set_chapters(self.chapters)
            video.width, video.height, video.pix_fmt = self.width, self.height, self.pix_fmt
            base = self.time_base or Fraction(1, self.rate)
            video.codec_context.time_base = base
            if self.sample_aspect:
                video.sample_aspect_ratio = self.sample_aspect
            if self.rotation:
                video.set_display_rotation(self.rotation)
            sound = (
                out.add_stream(self.sound, rate=RATE, layout=self.channels) if self.sound else None
            )
            for number in range(self.frames):
                frame = frame_of(moving_picture(number, self.width, self.height))
                if self.pix_fmt != "yuv420p":
                    frame = frame.reformat(format=self.pix_fmt)
                frame.pts = self.pts[number] if self.pts else number
                frame.time_base = base
                with usual_priority() if number == 0 else nullcontext():
                    packets = video.encode(frame)  # the first one opens the encoder
                out.mux(packets)
            out.mux(video.encode(None))
            if sound is not None:
                self._write_sound(out, sound)
        return path

    def _write_sound(self, out: Any, sound: Any) -> None:
        size = sound.codec_context.frame_size or 1024
        kind = sound.codec_context.format.name
        total = round(RATE * (self.sound_s or self.frames / self.rate))
        offset = round(self.sound_start_s * RATE)
        channels = len(sound.codec_context.layout.channels)
        for start in range(0, total, size):
            tone = click_track(start, min(size, total - start))
            if kind in ("s16", "s16p"):
                tone = (tone * 32767).astype(np.int16)
            planar = np.repeat(tone[None, :], channels, axis=0)
            data = planar if kind.endswith("p") else planar.T.reshape(1, -1)
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(data), kind, self.channels)
            frame.sample_rate = RATE
            frame.time_base = Fraction(1, RATE)
            frame.pts = start + offset
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))


def click_track(start: int, count: int) -> NDArray[np.float32]:
    """Returns silence with a 5 ms tone every quarter of a second, float32."""
    at = start + np.arange(count)
    burst = (at % (RATE // 4)) < RATE // 200
    return (0.8 * burst * np.sin(2 * np.pi * 1000 * at / RATE)).astype(np.float32)
