"""Sources without usable timestamps or index, made seekable.

The index step decodes them once to learn their frames, and copies their video stream, without
re-encoding, into a NUT file with exact timestamps.

NUT holds any codec. In the remuxed file a packet's timestamp is its place in display order, so
workers find frames by number whatever the source's clock does; the plan holds the times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.packet import Packet
from av.video.frame import VideoFrame

from excamera.errors import NoFrames, SourceUnavailable
from excamera.media.source.index import Entry, Index, make_index, truncated
from excamera.media.source.media import Opened, open_media

_RATE = 1000  # packets a second in the remuxed file; the plan holds the real timestamps


@dataclass(slots=True)
class Decoded:
    """What decoding a source once found out.

    Attributes:
        shown_as: for each packet, the number of the frame it shows, or None.
        keys: for each packet, whether decoding can start there.
        pts: timestamp of each frame, in the stream's time base; None if it has none.
        last_duration: duration of the last frame, ticks, 0 when unknown.
        first: the first frame, for its geometry.
    """

    shown_as: list[int | None]
    keys: list[bool]
    pts: list[int | None]
    last_duration: int
    first: VideoFrame


def decode_once(opened: Opened, look: Callable[[VideoFrame], None]) -> Decoded:
    """Decode a whole source and note which packet shows which frame, and when.

    Args:
        opened: the source.
        look: is given every frame, in order.

    Raises:
        NoFrames: there are none.
        TruncatedSource: decoding fails; the error says after how many frames.
    """
    video = opened.video
    video.codec_context.copy_opaque = True
    # With threads, a damaged frame sometimes loses its mark.
    video.codec_context.thread_count = 1
    shown_as: list[int | None] = []
    keys: list[bool] = []
    pts: list[int | None] = []
    first: VideoFrame | None = None
    duration = 0
    corrupt = False
    try:
        for packet in opened.container.demux(video):
            if packet.size and packet.is_corrupt:
                raise truncated(opened.name, len(pts))
            if packet.size:
                packet.opaque = len(shown_as)
                shown_as.append(None)
                keys.append(packet.is_keyframe)
            for frame in packet.decode():
                first = first or frame
                look(frame)
                if isinstance(frame.opaque, int):
                    shown_as[frame.opaque] = len(pts)
                pts.append(frame.pts)
                corrupt = frame.is_corrupt
                duration = frame.duration or 0
    except OSError as error:
        raise SourceUnavailable(f"{opened.name}: {error.strerror}") from error
    except av.error.FFmpegError as error:
        raise truncated(opened.name, len(pts), " or damaged") from error
    opened.check()
    if first is None:
        raise NoFrames(f"{opened.name}: has no frames")
    if corrupt:
        # Such a source does not state its length, but its last frame shows the cut.
        raise truncated(opened.name, len(pts) - 1)
    return Decoded(shown_as, keys, pts, duration, first)


def presentation(decoded: Decoded, time_base: Fraction, rate: Fraction) -> tuple[list[int], int]:
    """Timestamps of all frames and the end of the last, in ticks of `time_base`.

    Frames without timestamps of their own follow the frame before at the frame rate; a
    source without any starts at 0.
    """
    step = 1 / (rate * time_base)
    times: list[Fraction] = []
    for pts in decoded.pts:
        if pts is not None and (not times or pts >= times[-1]):
            times.append(Fraction(pts))
        else:
            times.append(times[-1] + step if times else Fraction(0))
    whole = [round(time) for time in times]
    # The durations of raw streams mean nothing: these have no timestamps.
    known = decoded.last_duration if decoded.pts[-1] is not None else 0
    return whole, whole[-1] + (known or max(1, round(step)))


def write_nut(opened: Opened, decoded: Decoded, path: Path) -> Index:
    """Write the video packets of a source to `path`, and index the new file.

    Args:
        opened: the source, opened again.
        decoded: what `decode_once` found out.
        path: a new file.
    """
    ranks = _display_ranks(decoded.shown_as)
    delay = max(place - rank for place, rank in enumerate(ranks))
    with av.open(str(path), "w", format="nut") as out:
        stream = out.add_stream_from_template(opened.video, opaque=True)
        stream.time_base = Fraction(1, _RATE)
        packets = (p for p in opened.container.demux(opened.video) if p.size)
        for place, packet in enumerate(packets):
            copy = Packet(bytes(packet))
            copy.stream = stream
            copy.time_base = Fraction(1, _RATE)
            copy.pts = ranks[place]
            copy.dts = place - delay
            copy.is_keyframe = decoded.keys[place]
            out.mux_one(copy)
    return _read_back(path, opened.name, decoded)


def _display_ranks(shown_as: list[int | None]) -> list[int]:
    """Places of the packets in display order; those that show nothing follow the last shown."""
    display = []
    highest = -1
    for number in shown_as:
        if number is None:
            display.append(2 * highest + 1)
        else:
            highest = max(highest, number)
            display.append(2 * number)
    order = sorted(range(len(display)), key=lambda place: (display[place], place))
    ranks = [0] * len(order)
    for rank, place in enumerate(order):
        ranks[place] = rank
    return ranks


def _read_back(path: Path, name: str, decoded: Decoded) -> Index:
    with open_media(str(path), name) as opened:
        packets = [p for p in opened.container.demux(opened.video) if p.size]
        entries = [
            Entry(cast(int, packet.pts), packet.is_keyframe)
            for packet, shown in zip(packets, decoded.shown_as, strict=True)
            if shown is not None
        ]
        return make_index(entries, opened.time_base, opened.frame_rate)
