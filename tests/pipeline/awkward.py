"""Sources that are damaged, or of another age."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from excamera.media.source.picture import Planes, frame_of
from tests.pipeline.clips import moving_picture

FRAMES = 24
_MPEG2 = {"flags": "+ildct+ilme", "qmin": "1", "qmax": "2", "bf": "2", "g": "12"}


def woven(number: int) -> Planes:
    """A picture whose lines are, in turn, of two moments."""
    first, second = (moving_picture(4 * moment) for moment in (2 * number, 2 * number + 1))
    planes = [plane.copy() for plane in first]
    for plane, other in zip(planes, second, strict=True):
        plane[1::2] = other[1::2]
    return planes[0], planes[1], planes[2]


def write_interlaced(path: Path) -> Path:
    """A clip as old cameras made them, top field first."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg2video", rate=25, options=_MPEG2)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for number in range(FRAMES):
            frame = frame_of(woven(number))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def with_damage(source: Path, bad: int) -> Path:
    """A copy of a Matroska file in which a frame cannot be decoded; all of them are key frames."""
    target = source.with_name("damaged.mkv")
    with av.open(str(source)) as a, av.open(str(target), "w") as b:
        stream = b.add_stream_from_template(a.streams.video[0])
        for number, packet in enumerate(p for p in a.demux(video=0) if p.size):
            new = av.Packet(b"\xff" * 40) if number == bad else packet
            new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
            new.is_keyframe = True
            new.stream = stream
            b.mux(new)
    return target


def with_all_flags(source: Path, target: Path) -> Path:
    """A copy in a container that is not trusted, whose pictures are all called key frames."""
    with av.open(str(source)) as a, av.open(str(target), "w", format="nut") as b:
        streams = {stream.index: b.add_stream_from_template(stream) for stream in a.streams}
        for packet in a.demux():
            if packet.size:
                packet.is_keyframe = True
                packet.stream = streams[packet.stream.index]
                b.mux(packet)
    return target


def with_bad_sound(source: Path, begin_s: float, end_s: float) -> Path:
    """A copy of a Matroska file whose sound cannot be decoded in a part of its time."""
    target = source.with_name("bad-sound.mkv")
    with av.open(str(source)) as a, av.open(str(target), "w") as b:
        streams = {stream.index: b.add_stream_from_template(stream) for stream in a.streams}
        for packet in a.demux():
            if not packet.size:
                continue
            new = packet
            time_s = float(packet.pts * packet.time_base)
            if packet.stream.type == "audio" and begin_s <= time_s < end_s:
                new = av.Packet(b"\xff" * packet.size)
                new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
            new.stream = streams[packet.stream.index]
            b.mux(new)
    return target
