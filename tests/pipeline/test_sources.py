"""Every awkward kind of source: all frames, in order, at their times, in a standard stream."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from excamera.job.options import EncodeOptions
from excamera.local import EncodeResult, encode_file
from excamera.media.source.picture import Planes, frame_of, geometry_of, planes_of, to_i420
from tests.pipeline.clips import (
    Clip,
    check_plays_alike,
    decoded_times,
    i420,
    in_milliseconds,
    key_frames,
    mean_error,
    moving_picture,
    packet_times,
)

pytestmark = pytest.mark.slow  # many encodes, one after another

OPTIONS = EncodeOptions(chunk_frames=5, batch_chunks=3, crf=8)
VFR = [0, 40, 41, 100, 1000, 1001, 1500, 1501, 1502, 2000, 2001, 2100, 2200, 2300, 2301, 2400,
       2500, 2600, 2700, 2701]  # fmt: skip
B_FRAMES = {"crf": "10", "bf": "3", "g": "12"}
OPEN_GOP = {"crf": "10", "bf": "3", "g": "10", "x264-params": "open-gop=1:b-adapt=0"}
ALTREF = {"crf": "4", "b": "2M", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "5"}
MS = Fraction(1, 1000)


def encode(source: Path | str, output: Path, **more: Any) -> EncodeResult:
    """Encode with two workers."""
    return encode_file(str(source), output, more.pop("options", OPTIONS), workers=2, **more)


CLIPS = {
    "plain.mp4": Clip(),
    "b-frames.mp4": Clip(frames=40, options=B_FRAMES),
    "b-frames.mkv": Clip(frames=40, options=B_FRAMES),
    "open-gop.mp4": Clip(frames=40, options=OPEN_GOP),
    "open-gop.mkv": Clip(frames=40, options=OPEN_GOP),
    "b-frames.avi": Clip(frames=40, encoder="mpeg4",
                         options={"bf": "2", "g": "10", "qmin": "1", "qmax": "3"}),
    "intra.avi": Clip(encoder="mjpeg", pix_fmt="yuvj420p", options={"qmin": "1", "qmax": "2"}),
    "raw.avi": Clip(encoder="rawvideo", options={}),
    "x.asf": Clip(encoder="wmv2", options={"qmin": "1", "qmax": "2"}),
    "x.flv": Clip(frames=40, options={"crf": "10", "bf": "2"}),
    "hidden-frames.webm": Clip(frames=40, encoder="libvpx", options=ALTREF),
    "vp9.webm": Clip(frames=40, encoder="libvpx-vp9", options=ALTREF),
    "x.y4m": Clip(encoder="wrapped_avframe", options={}),
    "vfr.mkv": Clip(pts=VFR, time_base=MS),
    "vfr.mp4": Clip(pts=VFR, time_base=MS),
    "late.mp4": Clip(pts=[n + 100 for n in range(20)], options={"crf": "10", "bf": "2"}),
    "late.mkv": Clip(pts=[n + 100 for n in range(20)]),
    "odd.mkv": Clip(width=97, height=63, encoder="ffv1", options={}),
    "one-pixel.mkv": Clip(frames=3, width=1, height=1, encoder="ffv1", options={}),
    "one-frame.mp4": Clip(frames=1),
    "10-bit-422.mkv": Clip(encoder="ffv1", pix_fmt="yuv422p10le", options={}),
    "rgb.mkv": Clip(encoder="ffv1", pix_fmt="bgr0", options={}),
    "gray.mkv": Clip(encoder="ffv1", pix_fmt="gray", options={}),
    "prores.mov": Clip(encoder="prores_ks", pix_fmt="yuv422p10le", options={}),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_arrives_at_its_time(name: str, tmp_path: Path) -> None:
    """If this fails, frames of such a source are lost, doubled, out of order or mistimed."""
    clip = CLIPS[name]
    source = clip.write(tmp_path / name)
    output = tmp_path / "result.webm"
    result = encode(source, output)
    pictures = check_plays_alike(output)
    assert len(pictures) == clip.frames == result.frames
    assert in_milliseconds(packet_times(output)) == in_milliseconds(decoded_times(source))
    assert key_frames(output) == result.key_frames == -(-clip.frames // 15)
    for number, picture in enumerate(pictures):
        expected = moving_picture(number, clip.width, clip.height)
        assert mean_error(picture, expected) < 3.5, f"frame {number}"


def test_raw_h264_gets_its_times_from_the_frame_rate(tmp_path: Path) -> None:
    """If this fails, a raw stream with reordered frames plays out of order."""
    source = Clip(frames=40, options=B_FRAMES).write(tmp_path / "raw.264", "h264")
    output = tmp_path / "result.webm"
    assert encode(source, output).indexed_by == "decoding"
    assert in_milliseconds(packet_times(output)) == [40 * number for number in range(40)]
    for number, picture in enumerate(check_plays_alike(output)):
        assert mean_error(picture, moving_picture(number)) < 3.5, f"frame {number}"


def test_a_broadcast_clock_is_brought_to_zero(tmp_path: Path) -> None:
    """If this fails, a transport stream plays after seconds or hours of nothing."""
    source = Clip(frames=40, options=B_FRAMES, sound="aac").write(tmp_path / "x.ts")
    output = tmp_path / "result.webm"
    encode(source, output)
    times = decoded_times(source)
    found = packet_times(output)
    assert found[0] < Fraction(1, 10)
    spacing = {round((b - a) * 1000) for a, b in pairwise(found)}
    assert spacing == {40}
    assert len(found) == len(times)


def test_ivf_keeps_timestamps_exactly(tmp_path: Path) -> None:
    """If this fails, IVF results are rounded to milliseconds."""
    clip = Clip(pts=[1001 * n for n in range(20)], time_base=Fraction(1, 30000), rate=30)
    source = clip.write(tmp_path / "a.mp4")
    encode(source, tmp_path / "a.ivf")
    assert packet_times(tmp_path / "a.ivf") == decoded_times(source)
    check_plays_alike(tmp_path / "a.ivf")


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("size", [(96, 64), (97, 63)])
def test_rotation_is_honoured(degrees: int, size: tuple[int, int], tmp_path: Path) -> None:
    """If this fails, a film shot on a phone lies on its side."""
    clip = Clip(frames=2, width=size[0], height=size[1], rotation=degrees,
                encoder="mpeg4", options={"qmin": "1", "qmax": "2"})  # fmt: skip
    source = clip.write(tmp_path / "r.mp4")
    encode(source, tmp_path / "r.webm")
    picture = check_plays_alike(tmp_path / "r.webm")[0]
    turned = tuple(np.rot90(p, degrees // 90) for p in moving_picture(0, *size))
    with av.open(str(tmp_path / "r.webm")) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width) == turned[0].shape
    assert mean_error(picture, turned) < 3  # type: ignore[arg-type]


def test_pixel_shape_is_kept_and_turned(tmp_path: Path) -> None:
    """If this fails, anamorphic films are squeezed."""
    for rotation, expected in ((0, Fraction(4, 3)), (90, Fraction(3, 4))):
        clip = Clip(frames=2, sample_aspect=Fraction(4, 3), rotation=rotation)
        source = clip.write(tmp_path / f"{rotation}.mp4")
        encode(source, tmp_path / f"{rotation}.webm")
        with av.open(str(tmp_path / f"{rotation}.webm")) as container:
            assert container.streams.video[0].sample_aspect_ratio == expected


def test_full_range_becomes_limited() -> None:
    """If this fails, phone footage gets crushed blacks and whites."""
    planes: Planes = (
        np.tile(np.arange(256, dtype=np.uint8), (16, 1)),
        np.full((8, 128), 255, np.uint8),
        np.full((8, 128), 128, np.uint8),
    )
    frame = frame_of(planes, "yuvj420p")
    y, u, v = planes_of(to_i420(frame, geometry_of(frame, (1, 1))))
    assert (int(y.min()), int(y.max())) == (16, 235)
    assert abs(int(u[4, 64]) - 240) <= 1
    assert abs(int(v[4, 64]) - 128) <= 1


def test_a_change_of_size_is_scaled_to_the_first(tmp_path: Path) -> None:
    """If this fails, a stream that changes its size in the middle breaks the encode."""
    path = tmp_path / "sizes.264"
    first = Clip(frames=6).write(tmp_path / "a.264", "h264")
    second = Clip(frames=6, width=192, height=128).write(tmp_path / "b.264", "h264")
    path.write_bytes(first.read_bytes() + second.read_bytes())
    encode(path, tmp_path / "out.webm")
    pictures = check_plays_alike(tmp_path / "out.webm")
    assert len(pictures) == 12
    assert {len(picture) for picture in pictures} == {96 * 64 * 3 // 2}


def test_a_pipe_is_read(tmp_path: Path) -> None:
    """If this fails, `producer | excamera encode` does not work."""
    source = Clip(encoder="wrapped_avframe", options={}).write(tmp_path / "a.y4m")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(source.read_bytes()))
    writer.start()
    encode(pipe, tmp_path / "piped.webm")
    writer.join()
    encode(source, tmp_path / "direct.webm")
    assert (tmp_path / "piped.webm").read_bytes() == (tmp_path / "direct.webm").read_bytes()


def test_spaces_and_accents_in_names(tmp_path: Path) -> None:
    """If this fails, files with everyday names cannot be encoded."""
    source = Clip(frames=3).write(tmp_path / "été à la mer #1 100%.mp4")
    encode(source, tmp_path / "ça va.webm")
    assert len(check_plays_alike(tmp_path / "ça va.webm")) == 3


def test_packets_that_lie_are_found_out_and_decoded_instead(tmp_path: Path) -> None:
    """If this fails, a container that promises frames its stream lacks ends the encode."""
    whole = Clip(frames=30, options={"crf": "10", "bf": "0", "g": "10"})
    source = whole.write(tmp_path / "whole.mkv")
    broken = tmp_path / "broken.mkv"
    with av.open(str(source)) as a, av.open(str(broken), "w") as b:
        stream = b.add_stream_from_template(a.streams.video[0])
        for packet in list(a.demux(video=0))[4:-1]:  # no key frame before the sixth packet
            packet.stream = stream
            b.mux(packet)
    result = encode(broken, tmp_path / "out.webm")
    with av.open(str(broken)) as container:
        expected = [i420(frame) for frame in container.decode(video=0)]
    assert result.frames == len(expected) == len(check_plays_alike(tmp_path / "out.webm"))
