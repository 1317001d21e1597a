"""Sound: kept, whole, in step with the picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from excamera.errors import ExCameraError
from excamera.job.options import EncodeOptions
from excamera.local import EncodeResult, encode_file
from excamera.media.audio import read_sound
from excamera.media.source.clock import Clock
from tests.pipeline.awkward import with_bad_sound
from tests.pipeline.clips import RATE, Clip

pytestmark = pytest.mark.slow  # many encodes, one after another

OPTIONS = EncodeOptions(chunk_frames=10, batch_chunks=2, crf=40)
VIDEO = {"frames": 60, "options": {"crf": "30"}}
MKV_OPUS = {"sound": "libopus"}


def encode(source: Path, output: Path) -> EncodeResult:
    """Encode with small batches."""
    return encode_file(str(source), output, OPTIONS, workers=2)


def waveform(path: Path) -> tuple[float, np.ndarray]:
    """Start time in seconds and all samples (channels, n) at 48 kHz, as a player hears them."""
    pieces = []
    start = None
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", rate=RATE)
        for frame in container.decode(audio=0):
            if start is None:
                start = float(frame.pts * frame.time_base)
            pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
        pieces += [piece.to_ndarray() for piece in resampler.resample(None)]
    assert start is not None
    return start, np.concatenate(pieces, axis=1)


def bursts(path: Path) -> list[float]:
    """When the tone bursts of the test sound begin, in seconds of presentation time."""
    start, samples = waveform(path)
    loud = np.abs(samples[0]) > 0.25
    begins = np.flatnonzero(loud & ~np.roll(loud, 1))
    kept: list[int] = []
    for at in begins:
        if not kept or at - kept[-1] > RATE // 10:
            kept.append(int(at))
    return [start + at / RATE for at in kept]


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("aac.mp4", Clip(**VIDEO, sound="aac")),
        ("mono.mp4", Clip(**VIDEO, sound="aac", channels="mono")),
        ("surround.mkv", Clip(**VIDEO, sound="aac", channels="5.1")),
        ("flac.mkv", Clip(**VIDEO, sound="flac")),
        ("pcm.mov", Clip(**VIDEO, sound="pcm_s16le")),
        ("opus.mkv", Clip(**VIDEO, **MKV_OPUS)),
        ("opus.mp4", Clip(**VIDEO, **MKV_OPUS)),
        ("late.mkv", Clip(**VIDEO, sound="flac", sound_start_s=0.5, sound_s=1.5)),
        ("late.mp4", Clip(**VIDEO, sound="aac", sound_start_s=0.5, sound_s=1.5)),
        ("short.mp4", Clip(**VIDEO, sound="aac", sound_s=0.6)),
        ("long.mp4", Clip(**VIDEO, sound="aac", sound_s=5.0)),
    ],
)
def test_sound_stays_in_step(name: str, clip: Clip, tmp_path: Path) -> None:
    """If this fails, such a sound track drifts, is cut, or loses its channels."""
    source = clip.write(tmp_path / name)
    output = tmp_path / "out.webm"
    result = encode(source, output)
    assert result.sound == ("copied" if "opus" in name else "encoded")
    before, after = bursts(source), bursts(output)
    assert len(before) == len(after) > 1
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < 0.003
    (start_a, a), (start_b, b) = waveform(source), waveform(output)
    assert a.shape[0] == b.shape[0]
    end_a, end_b = start_a + a.shape[1] / RATE, start_b + b.shape[1] / RATE
    assert abs(end_a - end_b) < 0.03


def test_opus_is_copied_bit_for_bit(tmp_path: Path) -> None:
    """If this fails, sound loses quality for nothing."""
    source = Clip(**VIDEO, **MKV_OPUS).write(tmp_path / "a.mkv")
    encode(source, tmp_path / "out.webm")
    packets = []
    for path in (source, tmp_path / "out.webm"):
        with av.open(str(path)) as container:
            packets.append([bytes(p) for p in container.demux(audio=0) if p.size])
    assert packets[0] == packets[1]


def test_a_gap_becomes_silence(tmp_path: Path) -> None:
    """If this fails, sound after a gap comes too early."""
    whole = Clip(**VIDEO, sound="flac").write(tmp_path / "whole.mkv")
    with_gap = tmp_path / "gap.mkv"
    with av.open(str(whole)) as a, av.open(str(with_gap), "w") as b:
        streams = {s.index: b.add_stream_from_template(s) for s in a.streams}
        for packet in a.demux():
            time = float(packet.pts * packet.time_base) if packet.size else 0
            if packet.size and not (packet.stream.type == "audio" and 0.6 < time < 1.4):
                packet.stream = streams[packet.stream.index]
                b.mux(packet)
    encode(with_gap, tmp_path / "out.webm")
    found = bursts(tmp_path / "out.webm")
    expected = [at / 4 for at in range(10) if not 0.65 < at / 4 < 1.4]
    assert len(found) == len(expected)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 0.003


def test_no_sound_no_track(tmp_path: Path) -> None:
    """If this fails, silent films get an empty track that players choke on."""
    source = Clip(frames=3).write(tmp_path / "a.mp4")
    assert encode(source, tmp_path / "out.webm").sound == "none"
    with av.open(str(tmp_path / "out.webm")) as container:
        assert len(container.streams.audio) == 0


def test_ivf_holds_no_sound_and_the_summary_says_so(tmp_path: Path) -> None:
    """If this fails, sound vanishes without a word."""
    from excamera.cli.encode import summary

    source = Clip(frames=3, sound="aac").write(tmp_path / "a.mp4")
    result = encode(source, tmp_path / "out.ivf")
    assert result.sound == "none"
    assert "IVF holds none" in summary(result)


def test_blocks_are_in_order_and_sound_lies_near_its_picture(tmp_path: Path) -> None:
    """If this fails, players must buffer far ahead, or refuse the file."""
    source = Clip(**VIDEO, sound="aac").write(tmp_path / "a.mp4")
    encode(source, tmp_path / "out.webm")
    last = {"audio": -1.0, "video": -1.0}
    with av.open(str(tmp_path / "out.webm")) as container:
        for packet in container.demux():
            if packet.size:
                kind = packet.stream.type
                time = float(packet.pts * packet.time_base)
                assert time >= last[kind]
                last[kind] = time
                if min(last.values()) >= 0:
                    assert abs(last["audio"] - last["video"]) <= 0.9  # a batch is 0.8 s


def test_a_damaged_packet_costs_only_itself(tmp_path: Path) -> None:
    """If this fails, one bad packet of sound ends the encode of a whole film."""
    source = Clip(**VIDEO, sound="flac").write(tmp_path / "a.mkv")
    damaged = with_bad_sound(source, 0.9, 1.0)
    with av.open(str(damaged)) as container:
        stream = container.streams.audio[0].index
    sound = read_sound(str(damaged), "damaged", stream, Fraction(0), Clock())
    assert sound is not None
    assert sound.skipped_packets > 0
    found = encode(damaged, tmp_path / "out.webm")
    assert found.sound == "encoded"
    assert not issubclass(type(found), ExCameraError)
    assert abs(bursts(tmp_path / "out.webm")[-1] - 2.25) < 0.003
