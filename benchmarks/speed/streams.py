"""The clips and streams on which speed is measured.

Every stream is one key frame and inter frames, which libvpx makes with the chunk encoder's settings
and one thread: the same bytes on every machine. Streams are kept in build/benchmarks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av

import codec
from benchmarks.common.clips import Clip, sha256_of, source_of
from benchmarks.common.y4m import Pictures
from excamera.job.options import EncodeOptions
from excamera.media.chunk_encoder import encode_chunk
from excamera.media.container import ivf

RATES = {"low": 44, "high": 12}
"""`crf` of the streams."""

RATE_HZ = 30
PIECE_FRAMES = 6
"""Frames of one call of our codec: those of a chunk. Memory holds all their pictures at once."""

OTHER_CRF = 6
"""Added to `crf` for the stream onto whose first frame we rebase."""


@dataclass(frozen=True)
class Sized:
    """A clip at one size.

    Attributes:
        size: its usual name.
        clip: the clip it comes from.
        passes: how often one round of decoding repeats its stream.
        rebased_frames: how many of its stream's frames one round rebases.
        encoded_frames: how many inter frames one round encodes.
    """

    size: str
    clip: Clip
    passes: int
    rebased_frames: int
    encoded_frames: int

    def quick(self) -> Sized:
        """Returns the same clip with few frames, to test that the benchmark works."""
        frames = min(self.clip.frames, 7)
        name = self.clip.name.rpartition("-")[0]
        clip = Clip(
            f"{name}-{frames}",
            self.clip.file,
            frames,
            self.clip.scale_to_px,
            self.clip.crop_height_px,
        )
        return Sized(self.size, clip, 1, frames - 1, 2)


SIZED = (
    Sized("CIF", Clip("foreman-cif-300", "foreman_cif.264", 300), 6, 120, 24),
    Sized("720p", Clip("flower-720p-120", "flower_720p.264", 120), 2, 48, 8),
    Sized("1080p", Clip("street-1080p-54", "street_1080p.264", 54), 2, 30, 6),
    Sized(
        "2160p", Clip("street-2160p-24", "street_1080p.264", 24, scale_to_px=(3840, 2160)), 1, 12, 3
    ),
)
FIRST_FRAMES = Sized(
    "1072p", Clip("street-1072p-54", "street_1080p.264", 54, crop_height_px=1072), 1, 0, 0
)


@dataclass(frozen=True)
class Source:
    """A clip's pictures and digests."""

    sized: Sized
    pictures: Pictures
    file_sha256: str
    y4m_sha256: str

    def to_json(self) -> dict[str, str | int]:
        """Returns its entry in the results."""
        return {
            "file": self.sized.clip.file,
            "file_sha256": self.file_sha256,
            "y4m_sha256": self.y4m_sha256,
            "frames": len(self.pictures),
            "width": self.pictures.width,
            "height": self.pictures.height,
        }


def open_source(sized: Sized, media: Path, cache: Path) -> Source:
    """Opens a clip; makes it if the cache lacks it."""
    path = source_of(sized.clip, media, cache)
    return Source(sized, Pictures(path), sha256_of(media / sized.clip.file), sha256_of(path))


@dataclass(frozen=True)
class Stream:
    """Coded frames, one for each picture of a source, from the first.

    Attributes:
        source: the encoded source.
        crf: quality.
        path: IVF file.
    """

    source: Source
    crf: int
    path: Path

    @cached_property
    def frames(self) -> list[bytes]:
        """The coded frames."""
        return [frame.data for frame in ivf.parse(self.path.read_bytes()).frames]

    def to_json(self) -> dict[str, str | int | float]:
        """Returns its entry in the results."""
        coded = sum(map(len, self.frames))
        return {
            "crf": self.crf,
            "frames": len(self.frames),
            "bytes": coded,
            "mbit_s": round(8e-6 * coded * RATE_HZ / len(self.frames), 3),
            "sha256": sha256_of(self.path),
        }


def stream_of(source: Source, crf: int, cache: Path, frames: int | None = None) -> Stream:
    """Returns a source's stream; makes it if the cache lacks it.

    Args:
        source: the clip.
        crf: quality.
        cache: folder.
        frames: number of pictures to encode; None for all.
    """
    count = len(source.pictures) if frames is None else frames
    options = EncodeOptions(crf=crf)
    key = f"{source.y4m_sha256} {count} {options.to_json()} {av.__version__}"
    path = cache / f"speed-{hashlib.sha256(key.encode()).hexdigest()[:24]}.ivf"
    if not path.exists():
        print(f"encoding {source.sized.clip.name} at crf {crf}", flush=True)
        coded = encode_chunk(map(source.pictures.frame, range(count)), options)
        if len(coded) != count:
            raise ValueError("a stream must have one frame per picture")
        write_ivf(path, source.pictures, coded)
    return Stream(source, crf, path)


def write_ivf(path: Path, pictures: Pictures, coded: list[bytes]) -> None:
    """Writes coded frames; the file appears complete."""
    partial = path.with_suffix(".part")
    head = ivf.header(pictures.width, pictures.height, Fraction(1, RATE_HZ), len(coded))
    partial.write_bytes(head + ivf.frames(enumerate(coded)))
    partial.replace(path)


def repeated(stream: Stream, cache: Path) -> tuple[Path, list[bytes]]:
    """Returns file and frames of the stream, repeated as often as a round of decoding needs."""
    passes = stream.source.sized.passes
    if passes == 1:
        return stream.path, stream.frames
    path = cache / f"{stream.path.stem}-x{passes}.ivf"
    frames = stream.frames * passes
    if not path.exists():
        write_ivf(path, stream.source.pictures, frames)
    return path, frames


def pieces(count: int, first: int = 0) -> Iterator[slice]:
    """Cuts frames `first` to `count` into pieces."""
    for start in range(first, count, PIECE_FRAMES):
        yield slice(start, min(count, start + PIECE_FRAMES))


def sources(quick: bool, media: Path, cache: Path) -> Iterator[Source]:
    """Yields the sources of all sizes, the smallest first."""
    for sized in SIZED:
        yield open_source(sized.quick() if quick else sized, media, cache)


def settled_onto(stream: Stream, cache: Path) -> codec.State:
    """Returns the state of another chain: after the source's first frame at another quality."""
    other = stream_of(stream.source, min(63, stream.crf + OTHER_CRF), cache, frames=1)
    return codec.decode(None, other.frames[0]).state
