"""Channels of the sound: each stays where it was, or users are told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from excamera.job.options import EncodeOptions
from excamera.local import EncodeResult, encode_file
from excamera.media.layouts import channels_of, mixed_down, mixing, result_layout
from excamera.media.source.picture import frame_of
from tests.pipeline.clips import RATE, Clip, moving_picture

pytestmark = pytest.mark.slow  # many encodes, one after another

OPTIONS = EncodeOptions(chunk_frames=10, batch_chunks=2, crf=50)
LOUD = 0.1


def hertz(channel: str) -> float:
    """The tone that tells a channel from others; that of an LFE is low."""
    order = ("FL", "FR", "FC", "BL", "BR", "SL", "SR", "BC", "FLC", "FRC")
    return 60.0 if channel == "LFE" else 300.0 + 100 * order.index(channel)


def tones(channels: tuple[str, ...], seconds: float = 1.0) -> NDArray[np.float32]:
    """A tone on each channel, float32, (channels, samples)."""
    at = np.arange(round(seconds * RATE)) / RATE
    return np.stack([0.4 * np.sin(2 * np.pi * hertz(one) * at) for one in channels]).astype(
        np.float32
    )


def packets_of(codec: str, layout: str, samples: NDArray[np.float32]) -> list[bytes]:
    """Encoded sound."""
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = RATE, layout, "fltp"
    context.bit_rate = 640_000
    context.open()
    made = []
    for start in range(0, samples.shape[1] - context.frame_size + 1, context.frame_size):
        part = np.ascontiguousarray(samples[:, start : start + context.frame_size])
        frame = AudioFrame.from_ndarray(part, "fltp", layout)
        frame.sample_rate, frame.pts = RATE, start
        made += context.encode(frame)
    return [bytes(packet) for packet in [*made, *context.encode(None)]]


def write(path: Path, codec: str, layout: str, samples: NDArray[np.float32]) -> Path:
    """A film of one second with that sound, as 16-bit samples."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=25)
        video.width, video.height = 32, 32
        sound = out.add_stream(codec, rate=RATE, layout=layout)
        for number in range(25):
            frame = frame_of(moving_picture(number, 32, 32), "yuv420p")
            frame.pts = number
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        whole = (samples.T.reshape(1, -1) * 32767).astype(np.int16)
        size = 4608 * len(samples)
        for start in range(0, whole.shape[1], size):
            piece = AudioFrame.from_ndarray(whole[:, start : start + size], "s16", layout)
            piece.sample_rate, piece.pts = RATE, start // len(samples)
            piece.time_base = Fraction(1, RATE)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return path


def encode(source: Path) -> tuple[EncodeResult, str, NDArray[np.float32]]:
    """The result, its layout and its samples, (channels, samples)."""
    output = source.with_suffix(".webm")
    result = encode_file(str(source), output, OPTIONS, workers=1)
    with av.open(str(output)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", rate=RATE)  # PyAV fails with 8 planes
        pieces = [p for f in container.decode(stream) for p in resampler.resample(f)]
        layout, count = pieces[0].layout.name, pieces[0].layout.nb_channels
    samples = np.concatenate([piece.to_ndarray().reshape(-1, count) for piece in pieces])
    return result, layout, samples.T


def loudness(samples: NDArray[np.float32], frequency: float) -> float:
    """The amplitude of a tone."""
    at = np.arange(len(samples)) / RATE
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * frequency * at))))


def heard(samples: NDArray[np.float32], layout: str, start: float = 0.2) -> dict[str, set[float]]:
    """Which tones each channel of a result has, for half a second."""
    first = round(start * RATE)
    part = samples[:, first : first + RATE // 2]
    names = channels_of(av.AudioLayout(layout))
    frequencies = [60.0, *(300.0 + 100 * number for number in range(10))]
    return {
        name: {f for f in frequencies if loudness(channel, f) > LOUD}
        for name, channel in zip(names, part, strict=True)
    }


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("mono", "mono"),
        ("stereo", "stereo"),
        ("2.1", "5.1"),
        ("3.0", "3.0"),
        ("3.0(back)", "6.1"),
        ("3.1", "5.1"),
        ("4.0", "6.1"),
        ("quad", "quad"),
        ("quad(side)", "quad"),
        ("4.1", "6.1"),
        ("5.0", "5.0"),
        ("5.0(side)", "5.0"),
        ("5.1", "5.1"),
        ("5.1(side)", "5.1"),
        ("6.1", "6.1"),
        ("6.1(back)", "6.1"),
        ("7.0", "7.1"),
        ("7.1", "7.1"),
    ],
)
def test_every_channel_keeps_its_place(layout: str, expected: str, tmp_path: Path) -> None:
    """If this fails, the sound of such a layout loses a channel, or another speaker plays it."""
    channels = channels_of(av.AudioLayout(layout))
    source = write(tmp_path / "a.mkv", "flac", layout, tones(channels))
    result, found, samples = encode(source)
    assert found == av.AudioLayout(expected).name
    speakers = channels_of(av.AudioLayout(expected))
    wanted: dict[str, set[float]] = {name: set() for name in speakers}
    for name in channels:
        other = {"SL": "BL", "SR": "BR", "BL": "SL", "BR": "SR"}.get(name, name)
        wanted[name if name in speakers else other] = {hertz(name)}
    assert heard(samples, found) == wanted
    assert result.notes == ()


def test_what_has_no_place_is_mixed_down_and_said(tmp_path: Path) -> None:
    """If this fails, wide speakers vanish, or nobody is told."""
    channels = channels_of(av.AudioLayout("7.1(wide)"))
    source = write(tmp_path / "a.mkv", "flac", "7.1(wide)", tones(channels) / 2)
    result, found, samples = encode(source)
    assert found == "5.1"
    by_channel = heard(samples * 4, found)
    assert by_channel["FL"] == {hertz("FL"), hertz("FLC")}
    assert by_channel["FR"] == {hertz("FR"), hertz("FRC")}
    assert by_channel["LFE"] == {hertz("LFE")}
    assert result.notes == (
        "sound: Opus in WebM has no layout with all channels of 7.1(wide); encoded as 5.1, "
        "FLC and FRC mixed into the other channels",
    )


def test_channels_without_a_layout_keep_their_order(tmp_path: Path) -> None:
    """If this fails, sound that only has a number of channels is refused or reordered silently."""
    channels = channels_of(av.AudioLayout("5.1"))
    result, found, samples = encode(write(tmp_path / "a.mkv", "pcm_s16le", "5.1", tones(channels)))
    assert found == "5.1"
    assert heard(samples, found) == {name: {hertz(name)} for name in channels}
    assert result.notes == ("sound: the layout of its 6 channels is unknown; taken as 5.1",)


def test_of_many_channels_without_a_layout_two_are_kept(tmp_path: Path) -> None:
    """If this fails, sixteen tracks of a studio are refused or mixed into one mush."""
    names = (*channels_of(av.AudioLayout("7.1")), "FLC", "FRC")
    result, found, samples = encode(
        write(tmp_path / "a.mkv", "pcm_s16le", "10 channels", tones(names))
    )
    assert found == "stereo"
    assert heard(samples, found) == {"FL": {hertz(names[0])}, "FR": {hertz(names[1])}}
    assert result.notes == (
        "sound: the layout of its 10 channels is unknown; the first two are kept as stereo",
    )


def test_an_unusual_order_of_channels_is_read(tmp_path: Path) -> None:
    """If this fails, a film whose channels are in an order of its own ends the worker process."""
    names = ("FL", "FR", "SL", "SR", "FC", "LFE")
    source = write(tmp_path / "a.mov", "pcm_s16le", "5.1", tones(names))
    data = bytearray(source.read_bytes())
    tag = data.index(b"chan") + 8
    data[tag : tag + 4] = (122 << 16 | 6).to_bytes(4, "big")  # MPEG_5_1_B: L R Ls Rs C LFE
    source.write_bytes(data)
    result, found, samples = encode(source)
    assert found == "5.1"
    by_channel = heard(samples, found)
    assert by_channel["LFE"] == {hertz("LFE")}
    assert by_channel["FC"] == {hertz("FC")}
    assert by_channel["BL"] == {hertz("SL")}
    assert result.notes == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("stereo", "5.1(side)", "5.1"),
        ("5.1(side)", "stereo", "5.1"),
        ("mono", "stereo", "stereo"),
        ("stereo", "2.1", "5.1"),
    ],
)
def test_a_layout_that_changes(before: str, after: str, expected: str, tmp_path: Path) -> None:
    """If this fails, the part of a broadcast with more channels loses them, or time is lost."""
    source = tmp_path / "a.mkv"
    picture = Clip(frames=50, width=32, height=32).write(tmp_path / "picture.mkv")
    packets = [
        packet
        for layout in (before, after)
        for packet in packets_of("ac3", layout, tones(channels_of(av.AudioLayout(layout))))
    ]
    with av.open(str(picture)) as read, av.open(str(source), "w") as out:
        video = out.add_stream_from_template(read.streams.video[0])
        sound = out.add_stream("ac3", rate=RATE, layout=before)
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        for number, data in enumerate(packets):
            made = av.Packet(data)
            made.stream = sound
            made.time_base = Fraction(1, RATE)
            made.pts = made.dts = 1536 * number
            made.is_keyframe = True
            out.mux(made)
    result, found, samples = encode(source)
    assert found == expected
    for layout, start in ((before, 0.2), (after, 1.3)):
        by_channel = heard(samples, found, start)
        for name in channels_of(av.AudioLayout(layout)):
            if len(channels_of(av.AudioLayout(layout))) > 1:
                place = {"SL": "BL", "SR": "BR"}.get(name, name)
                assert hertz(name) in by_channel[place], (layout, name)
    assert abs(samples.shape[1] / RATE - 1536 * len(packets) / RATE) < 0.05
    assert result.notes == ()


def test_ambisonic_sound_becomes_stereo() -> None:
    """If this fails, a sound field is taken for four loudspeakers."""
    names = channels_of(av.AudioLayout("ambisonic 1"))
    layout = result_layout([names])
    assert layout == "stereo"
    from_left = np.array([[1, 1, 0, 0]], np.float32)  # ACN order, SN3D
    assert (from_left @ mixing(names, layout)).tolist() == [[1, 0]]
    assert "mixed down to stereo" in mixed_down(names, "ambisonic 1", layout)


@pytest.mark.parametrize("name", ["hexadecagonal", "octagonal", "22.2", "7.1.4", "6.0(front)"])
def test_no_channel_of_a_large_layout_is_lost(name: str) -> None:
    """If this fails, speakers above or around the listener are not heard at all."""
    channels = channels_of(av.AudioLayout(name))
    layout = result_layout([channels])
    matrix = mixing(channels, layout)
    assert (np.abs(matrix).sum(axis=1) > 0).all()
    assert (np.abs(matrix).sum(axis=0) <= 1.0001).all()
    assert "mixed into the other channels" in mixed_down(channels, name, layout)
