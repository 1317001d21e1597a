"""Sources of the cloud figures: MP4s of real clips, and one film with sound in several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from excamera.media.sample import SampleClip, write_sample

FILM = "bigbuckbunny.mp4"
FRAMES = 96
CHUNK_FRAMES, BATCH_CHUNKS = 6, 16


@dataclass(frozen=True)
class Size:
    """A picture size by its usual name."""

    name: str
    width: int
    height: int


CIF = Size("CIF", 352, 288)
SIZES = (Size("720p", 1280, 720), Size("1080p", 1920, 1080), Size("2160p", 3840, 2160))


def source_of(size: Size, frames: int, media: Path, cache: Path, clip: str = FILM) -> Path:
    """Returns an MP4 with so many frames of a size; makes it if the cache lacks it.

    It is scaled from a real clip, with its sound, if the folder has that; otherwise generated.
    """
    film = media / clip
    kind = film.stem if film.exists() else "sample"
    path = cache / f"cloud-{kind}-{size.name}-{frames}.mp4"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"part-{path.name}")
        if film.exists():
            _scale(film, partial, size, frames)
        else:
            write_sample(partial, SampleClip(size.width, size.height, 24, frames / 24))
        partial.replace(path)
    return path


def _scale(film: Path, target: Path, size: Size, frames: int) -> None:
    with av.open(str(film)) as source, av.open(str(target), "w") as out:
        rate = Fraction(source.streams.video[0].average_rate or 25)
        video = out.add_stream("libx264", rate=rate, options={"crf": "14", "refs": "4"})
        video.width, video.height, video.pix_fmt = size.width, size.height, "yuv420p"
        sound = None
        if source.streams.audio:
            sound = out.add_stream("aac", rate=48_000, layout="stereo")
        resampler = AudioResampler("fltp", "stereo", 48_000, frame_size=1024)
        shown = 0
        for frame in source.decode(source.streams.video[:1] + source.streams.audio[:1]):
            if isinstance(frame, VideoFrame):
                if shown == frames:
                    break
                scaled = frame.reformat(
                    size.width, size.height, "yuv420p", interpolation=Interpolation.LANCZOS
                )
                scaled.pts, scaled.time_base = shown, 1 / rate
                out.mux(video.encode(scaled))
                shown += 1
            elif isinstance(frame, AudioFrame) and sound is not None:
                for piece in resampler.resample(frame):
                    out.mux(sound.encode(piece))
        if shown != frames:
            raise ValueError(f"{film.name} has {shown} frames, {frames} are needed")
        out.mux(video.encode(None))
        if sound is not None:
            out.mux(sound.encode(None))
