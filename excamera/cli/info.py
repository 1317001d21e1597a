"""`excamera info`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from excamera.cli.help import OUTPUT, a_file, command, option
from excamera.media.info import FileInfo, StreamInfo, info_of
from excamera.media.words import counted, visible
from excamera.places import check_input

_UNKNOWN = 2  # of primaries, transfer and matrix


@command(
    examples=[
        ("excamera info film.webm", "Streams, and how far apart key frames are."),
        ("excamera info --frames --json film.mp4", "All of it, with every frame, for programs."),
    ]
)
@click.argument("file", shell_complete=a_file)
@option("--frames", section=OUTPUT, is_flag=True, help="Print type and size of each frame too.")
@option("--json", "as_json", section=OUTPUT, is_flag=True, help="Print JSON.")
def info(file: str, frames: bool, as_json: bool) -> None:
    """Streams, key frames, and with --frames each frame of FILE, in order of decoding.

    FILE is any video. Types of frames are those of VP8 (key, inter, hidden), which packets tell; of
    other codecs FFmpeg's (I, P, B), for which the pictures are decoded.
    """
    check_input(file)
    found = info_of(file, frames=frames)
    if as_json:
        told = asdict(found)
        if not frames:
            del told["frames"]
        click.echo(json.dumps(told, indent=1))
        return
    for line in _lines(found):
        click.echo(visible(line))
    for number, frame in enumerate(found.frames):
        time = "" if frame.time_s is None else f"{frame.time_s:10.3f} s"
        click.echo(f"frame {number:6d} {time:>12}  {frame.type:7} {frame.size:9,} bytes")


def _lines(found: FileInfo) -> Iterator[str]:
    title = f', "{found.title}"' if found.title else ""
    yield (
        f"{found.name}: {found.format}, {found.size:,} bytes, {_length(found.duration_s)}, "
        f"{_rate(found.bits_per_second)}{title}"
    )
    for stream in found.streams:
        yield from _of_stream(stream)
    for start_s, named in found.chapters:
        yield f"  chapter at {start_s:.3f} s  {named}".rstrip()


def _of_stream(stream: StreamInfo) -> Iterator[str]:
    parts = [f"{stream.codec} {stream.profile}".rstrip(), *_facts(stream)]
    if stream.language:
        parts.append(stream.language)
    if stream.title:
        parts.append(f'"{stream.title}"')
    yield f"  {stream.number}  {stream.type}  {', '.join(parts)}"
    if stream.type == "video":
        yield f"     {_keys(stream)}"
    for name, of_type in stream.types.items():
        mean = round(of_type.size / of_type.count)
        yield f"     {of_type.count:,} {name}: {of_type.size:,} bytes, {mean:,} each"


def _facts(stream: StreamInfo) -> Iterator[str]:
    if stream.type == "video":
        shape = f" (pixels {stream.sample_aspect})" if _is_odd(stream.sample_aspect) else ""
        yield f"{stream.width}x{stream.height}{shape}"
        yield stream.pixel_format or "unknown pixels"
        if stream.color != (_UNKNOWN,) * 3:
            yield "colour " + "/".join(map(str, stream.color))
        if stream.full_range:
            yield "full range"
        yield f"{stream.frame_rate:.6g} fps"
        yield counted(stream.packets, "packet")
    elif stream.type == "audio":
        yield f"{stream.sample_rate:,} Hz"
        yield stream.channels
    if stream.packets:
        yield _rate(stream.bits_per_second) if stream.duration_s else f"{stream.size:,} bytes"


def _is_odd(aspect: str) -> bool:
    return aspect not in ("", "1:1")


def _keys(stream: StreamInfo) -> str:
    said = counted(stream.keys, "key frame")
    between = stream.between_keys_s
    if between is None:
        return said
    shortest, middle, longest = between
    return f"{said}, {middle:.2f} s apart ({shortest:.2f} to {longest:.2f})"


def _length(seconds: float) -> str:
    if not seconds:
        return "duration unknown"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:06.3f}"


def _rate(bits_per_second: float) -> str:
    return f"{bits_per_second / 1000:,.1f} kbit/s" if bits_per_second else "rate unknown"
