"""Clips long enough for a batch: real ones, scaled, and played back and forth if they are short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

import codec
from benchmarks.common.clips import Clip, sha256_of
from benchmarks.common.films import SIZES, Size
from benchmarks.common.timing import Spent
from benchmarks.speed.streams import RATE_HZ, Sized, Source, open_source

CRF = 32
"""Quality of the batches and of the commands."""

FRAMES, CHUNK_FRAMES = 96, 12
_QUICK_FRAMES, _QUICK_CHUNK_FRAMES, _QUICK_PICTURES = 8, 4, 6


@dataclass(frozen=True)
class Film:
    """A real clip.

    Attributes:
        name: in tables.
        file: in the media folder.
        frames: how many are used, from the start.
        width: of its own pictures, in pixels.
    """

    name: str
    file: str
    frames: int
    width: int


FILMS = (
    Film("bigbuckbunny", "bigbuckbunny.mp4", 96, 1280),
    Film("street", "street_1080p.264", 54, 1920),
)
"""One that moves little, and one with much motion and fine texture."""


@dataclass(frozen=True)
class Played:
    """A clip of so many frames: forwards, then backwards, then forwards again.

    Attributes:
        name: in tables.
        size: its usual name.
        source: its pictures.
        frames: how many are played.
        chunk_frames: frames of a chunk, a divisor of that.
    """

    name: str
    size: str
    source: Source
    frames: int
    chunk_frames: int

    @property
    def lengths(self) -> list[int]:
        """Frames of each chunk of the batch."""
        return [self.chunk_frames] * (self.frames // self.chunk_frames)

    @property
    def megapixels(self) -> float:
        """Megapixels of one frame."""
        return self.source.pictures.width * self.source.pictures.height / 1e6

    def rasters(self, numbers: Iterable[int], reading: Spent) -> Iterator[codec.Raster]:
        """Reads frames when they are asked for.

        Args:
            numbers: of the frames.
            reading: gets the time that reading takes.
        """
        for number in numbers:
            with reading.more():
                raster = self.source.pictures.raster(self.picture(number))
            yield raster

    def picture(self, number: int) -> int:
        """Returns the number of the picture that this frame shows."""
        return there_and_back(number, len(self.source.pictures))

    def to_json(self) -> dict[str, str | int]:
        """Returns its entry in the results."""
        return self.source.to_json() | {"played_frames": self.frames}


def there_and_back(number: int, pictures: int) -> int:
    """Returns the picture that a frame shows if they are played forwards, then backwards."""
    if pictures == 1:
        return 0
    place = number % (2 * pictures - 2)
    return min(place, 2 * pictures - 2 - place)


def played(
    quick: bool, media: Path, cache: Path, sizes: Sequence[Size] = SIZES
) -> Iterator[Played]:
    """Yields every film in every size; with `quick`, few frames of the smallest size."""
    for size in sizes[:1] if quick else sizes:
        for film in FILMS:
            pictures = min(film.frames, _QUICK_PICTURES) if quick else film.frames
            scale = None if film.width == size.width else (size.width, size.height)
            clip = Clip(f"{film.name}-{size.name}-{pictures}", film.file, pictures, scale)
            yield Played(
                film.name,
                size.name,
                open_source(Sized(size.name, clip, 1, 0, 0), media, cache),
                _QUICK_FRAMES if quick else FRAMES,
                _QUICK_CHUNK_FRAMES if quick else CHUNK_FRAMES,
            )


def mp4_of(clip: Played, cache: Path) -> Path:
    """Returns an H.264 file of the frames, without sound; makes it if the cache lacks it."""
    path = cache / f"speed-{clip.source.y4m_sha256[:24]}-{clip.frames}.mp4"
    if not path.exists():
        partial = path.with_name(f"part-{path.name}")
        pictures = clip.source.pictures
        with av.open(str(partial), "w") as out:
            video = out.add_stream("libx264", rate=RATE_HZ, options={"crf": "14", "refs": "4"})
            video.width, video.height, video.pix_fmt = pictures.width, pictures.height, "yuv420p"
            for number in range(clip.frames):
                frame = pictures.frame(clip.picture(number))
                frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        partial.replace(path)
    return path


def mp4_to_json(path: Path) -> dict[str, str | int]:
    """Returns the entry of such a file in the results."""
    return {"mp4_sha256": sha256_of(path), "mp4_bytes": path.stat().st_size}
