"""A filter over all frames of a film, then its encode by ExCamera.

Workers decode and sharpen a span of the film each. What they return becomes one lossless film with
the sound of the source, and ExCamera encodes that. In the end FFmpeg decodes the source and the
result, to see whether all frames are in their places, and sharper.

python -m examples.film_filter film.mp4 sharp.webm
"""

from __future__ import annotations

import functools
import heapq
import io
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import click
import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

import mu
from examples.common import readable_files, run, run_options
from examples.films import look_at
from excamera.errors import ExCameraError
from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.compare import compare_files
from excamera.media.quality import summarise
from excamera.media.source.media import Opened, open_media
from excamera.media.source.picture import Planes, frame_of, geometry_of, planes_of, to_i420
from excamera.places import check_output

Luma = NDArray[np.uint8]


LOSSLESS = {"qp": "0", "preset": "ultrafast"}
"""H.264 without loss or reordering; its stream also says which shape pixels have."""


class Span(NamedTuple):
    """Frames from one timestamp to before another, in ticks of the film; None is its end."""

    start: int
    end: int | None


def spans(film: str, frames: int) -> list[Span]:
    """The film in spans of about so many frames; to find them, nothing is decoded."""
    with mu.open(film) as file, open_media(file, film) as opened:
        packets = opened.container.demux(opened.video)
        times = sorted(packet.pts for packet in packets if packet.pts is not None)
    if not times:
        raise click.UsageError(f"{film}: its frames have no timestamps")
    starts = times[::frames]
    return list(itertools.starmap(Span, itertools.zip_longest(starts, starts[1:])))


class Picture(NamedTuple):
    """A frame with its timestamp; its planes are I420, whatever the film's own format is."""

    pts: int
    planes: Planes
    geometry: Geometry


def pictures(opened: Opened) -> Iterator[Picture]:
    """The frames of a film from where it stands."""
    aspect = (opened.video.sample_aspect_ratio or Fraction(1)).as_integer_ratio()
    geometry = None
    for frame in opened.container.decode(opened.video):
        geometry = geometry or geometry_of(frame, aspect)
        if frame.pts is not None:
            yield Picture(frame.pts, planes_of(to_i420(frame, geometry)), geometry)


def windows(rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Five views of an array, each of which begins a row lower."""
    return [rows[first : len(rows) - 4 + first] for first in range(5)]


def sharpened(luma: Luma, strength: float) -> Luma:
    """An unsharp mask: adds what a blur would take away, so many times."""
    sharp = luma.astype(np.float32)
    a, b, c, d, e = windows(np.pad(sharp, 2, mode="edge"))
    a, b, c, d, e = windows(((a + e) + 4 * (b + d) + 6 * c).T)
    blurred = ((a + e) + 4 * (b + d) + 6 * c).T / 256
    sharp += np.float32(strength) * (sharp - blurred)
    return np.clip(np.rint(sharp), 16, 235).astype(np.uint8)


def filter_span(film: str, strength: float, span: Span) -> bytes:
    """A span of the film with sharper frames, as a lossless film of its own."""
    made = io.BytesIO()
    with (
        mu.open(film) as file,
        open_media(file, film) as opened,
        av.open(made, "w", format="matroska") as out,
    ):
        stream = out.add_stream("libx264", rate=opened.frame_rate, options=LOSSLESS)
        stream.codec_context.time_base = opened.time_base
        opened.container.seek(span.start, stream=opened.video)  # to a key frame at or before it
        found = pictures(opened)
        first = next(found, None)
        if first is None or first.pts > span.start:
            raise ValueError(f"{film}: the frame at {span.start} cannot be reached")
        describe(stream, first.geometry)
        for pts, (luma, blue, red), _ in itertools.chain([first], found):
            if span.end is not None and pts >= span.end:
                break
            if pts < span.start:
                continue
            frame = frame_of((sharpened(luma, strength), blue, red))
            frame.pts, frame.time_base = pts, opened.time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return made.getvalue()


def describe(stream: VideoStream, geometry: Geometry) -> None:
    """Say how pictures are to be shown.

    Raises:
        ValueError: H.264 has no such pictures.
    """
    if geometry.width % 2 or geometry.height % 2:
        raise ValueError(f"{geometry.width}x{geometry.height}: sides must be even numbers")
    stream.width, stream.height = geometry.width, geometry.height
    context = stream.codec_context
    context.sample_aspect_ratio = Fraction(*geometry.sample_aspect)
    context.colorspace = geometry.matrix
    context.color_trc, context.color_primaries = geometry.transfer, geometry.primaries


def packets(place: str, kind: str, copy: Stream) -> Iterator[Packet[Any]]:
    """The packets of a film's video or audio, for a copy of its stream."""
    with mu.open(place) as file, av.open(file, "r") as source:
        for packet in source.demux(**{kind: 0}):
            if packet.pts is not None:  # the last one only says that there are no more
                packet.dts = packet.pts  # neither sound nor our pictures are reordered
                packet.stream = copy
                yield packet


def join(parts: Sequence[Path], film: str, path: Path) -> None:
    """Write the filtered spans and the film's sound as one film."""
    # Sound may begin before time 0; this must not move the pictures.
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(path), "w", format="matroska", options=options) as out:
        with av.open(str(parts[0])) as first, mu.open(film) as file, av.open(file, "r") as source:
            video = out.add_stream_from_template(first.streams.video[0])
            sound = [out.add_stream_from_template(one) for one in source.streams.audio[:1]]
        shown = (packets(str(part), "video", video) for part in parts)
        tracks = [packets(film, "audio", one) for one in sound]
        for packet in heapq.merge(itertools.chain.from_iterable(shown), *tracks, key=shown_at):
            out.mux(packet)


def shown_at(packet: Packet[Any]) -> Fraction:
    """A packet's time in seconds."""
    assert packet.pts is not None
    return packet.pts * packet.time_base


@click.command()
@click.argument("pattern", metavar="FILM")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--strength", type=click.FloatRange(0, 10), default=1, show_default=True)
@click.option("--span-frames", type=click.IntRange(min=1), default=24, show_default=True)
@click.option("--crf", type=click.IntRange(0, 63), default=24, show_default=True)
@run_options
def main(
    pattern: str,
    output: Path,
    strength: float,
    span_frames: int,
    crf: int,
    on: str,
    workers: int | None,
) -> None:
    """Sharpen FILM (a path or an s3:// URL), and encode it to OUTPUT (.webm, .mkv or .ivf)."""
    film, *others = readable_files([pattern], on)
    if others:
        raise click.UsageError(f"{pattern}: names {1 + len(others)} films")
    check_output(output, overwrite=True)  # rather now than after the work
    with tempfile.TemporaryDirectory() as folder, mu.Executor(on, workers=workers) as ex:
        cut = spans(film, span_frames)
        parts: list[Path] = []
        for part in ex.map(functools.partial(filter_span, film, strength), cut):
            parts.append(Path(folder, f"{len(parts)}.mkv"))
            parts[-1].write_bytes(part)
        filtered = Path(folder, "filtered.mkv")
        join(parts, film, filtered)
        options = EncodeOptions(crf=crf)
        result = encode_file(str(filtered), output, options, workers=workers, overwrite=True)
        loss = summarise(list(compare_files(str(filtered), str(output))))["y"]
    before, after = look_at(film), look_at(str(output))
    if after.times_ms != before.times_ms:
        raise click.ClickException(f"{output}: frames are not where those of {film} are")
    click.echo(f"{len(before.times_ms)} frames in {len(cut)} spans, all times kept")
    key_frames = f"{result.key_frames} key frame{'s' if result.key_frames > 1 else ''}"
    click.echo(f"{output}: {result.size:,} bytes, {key_frames}")
    click.echo(f"mean step between pixels: {before.mean_step:.2f}, sharpened {after.mean_step:.2f}")
    click.echo(f"luma PSNR against the filtered film: {loss.psnr_db:.2f} dB")


if __name__ == "__main__":
    run(main, ExCameraError)
