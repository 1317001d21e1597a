"""Results in MP4, from the source to the file: frames, times, and sound in step with them."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from excamera.cli import main
from excamera.errors import UnknownOutputFormat
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.aac import AacEncoder
from excamera.media.audio import read_sound
from excamera.media.source.clock import Clock
from tests.pipeline.clips import RATE, Clip, decoded_times
from tests.pipeline.test_audio import bursts

VIDEO = {"frames": 40, "options": {"crf": "30"}}
AT_ONCE = Clock()


def packets_of(path: Path) -> list[bytes]:
    """All packets of sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "clip", "codec", "sound"),
    [
        ("a.mp4", Clip(**VIDEO, sound="aac"), "h264", "copied"),
        ("a.mkv", Clip(**VIDEO, sound="aac", sound_start_s=0.3), "vp9", "copied"),
        ("a.mkv", Clip(**VIDEO, sound="flac", sound_start_s=0.3, sound_s=2.6), "h264", "encoded"),
        ("a.ts", Clip(**VIDEO, sound="aac"), "h264", "copied"),  # each packet has a header
        ("a.ts", Clip(**VIDEO, sound="mp2"), "h264", "encoded"),
        ("a.mp4", Clip(**VIDEO), "av1", "none"),
    ],
    ids=["aac", "late aac", "late and long flac", "transport stream", "mp2", "silent"],
)  # fmt: skip
def test_picture_and_sound_stay_together(
    name: str, clip: Clip, codec: str, sound: str, tmp_path: Path
) -> None:
    """If this fails, .mp4 results lose frames, change their times, or sound is not in step."""
    source, output = clip.write(tmp_path / name), tmp_path / "result.mp4"
    options = EncodeOptions(codec=codec, chunk_frames=15)
    result = encode_file(str(source), output, options, workers=2)
    assert (result.frames, result.sound) == (40, sound)
    expected_times, times = decoded_times(source), decoded_times(output)
    # A transport stream's clock begins anywhere: what is first, picture or sound, begins at 0.
    start = expected_times[0] - times[0] if name == "a.ts" else Fraction(0)
    assert times == [time - start for time in expected_times]
    assert times[0] < Fraction(1, 25)
    if sound != "none":
        expected, found = bursts(source), bursts(output)
        assert len(found) == len(expected) > 5
        assert found == pytest.approx([time - float(start) for time in expected], abs=0.002)
    if sound == "copied":
        head = 7 if name == "a.ts" else 0
        assert packets_of(output) == [packet[head:] for packet in packets_of(source)]
    if shutil.which("mediainfo") is not None:
        done = subprocess.run(
            ["mediainfo", output], capture_output=True, text=True, check=True, timeout=60
        )
        assert "onformance" not in done.stdout


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same_file(tmp_path: Path) -> None:
    """If this fails, a result in MP4 depends on how many processes made it."""
    source = Clip(**VIDEO, sound="flac").write(tmp_path / "a.mkv")
    options = EncodeOptions(codec="h264", chunk_frames=9)
    written = []
    for workers in (1, 2):
        output = tmp_path / f"{workers}.mp4"
        encode_file(str(source), output, options, workers=workers)
        written.append(output.read_bytes())
    assert written[0] == written[1]
    assert written[0][4:8] == b"ftyp"
    assert written[0].find(b"moov") < written[0].find(b"mdat")


def test_vp8_is_refused_before_any_work(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """If this fails, a file is written that no player shows, or a user learns it too late."""
    source = Clip(frames=2).write(tmp_path / "a.mkv")
    with pytest.raises(UnknownOutputFormat, match="mp4 file does not hold vp8"):
        encode_file(str(source), tmp_path / "b.mp4", EncodeOptions())
    assert main(["encode", str(source), str(tmp_path / "b.mp4")]) == 2
    assert "does not hold vp8" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "clip", "origin_s", "expected"),
    [
        # where the first packet begins, what is dropped of it, what is heard; in samples
        ("a.mp4", Clip(frames=25, sound="aac"), 0, (True, -1024, 1024, RATE)),
        ("a.mp4", Clip(frames=25, sound="aac", sound_start_s=0.5), 0,
         (True, RATE // 2 - 1056, 0, RATE + 1024)),  # this muxer does not say what to drop
        # The film begins after the sound: a packet that nobody hears goes, but for two.
        ("a.mp4", Clip(frames=25, sound="aac"), Fraction(1, 5),
         (True, -1024 * 2 - 384, 1024 * 2 + 384, RATE - RATE // 5)),
        ("a.mkv", Clip(frames=25, sound="libopus"), 0, (False, -1024, 1024, RATE)),
        ("a.mkv", Clip(frames=25, sound="flac", channels="7.1"), 0, (False, -1024, 1024, RATE)),
    ],
    ids=["aac", "late", "early", "opus", "7.1"],
)  # fmt: skip
def test_the_first_and_the_last_sample_are_known(
    name: str,
    clip: Clip,
    origin_s: int | Fraction,
    expected: tuple[bool, int, int, int],
    tmp_path: Path,
) -> None:
    """If this fails, sound begins early or late, or a film ends with a click."""
    source = clip.write(tmp_path / name)
    sound = read_sound(str(source), "a", 1, Fraction(origin_s), AT_ONCE, codec="aac")
    assert sound is not None
    delay = round(sound.track.delay_ns * sound.rate / 1e9)
    copied, first, dropped, heard = expected
    assert (sound.copied, sound.first, delay) == (copied, first, dropped)
    assert sound.samples == pytest.approx(heard, abs=320 if name == "a.mkv" else 0)
    assert len(sound.blocks) == -(-(delay + sound.samples) // 1024)
    assert sound.end_ms == pytest.approx((first + delay + sound.samples) / 48)
    assert sound.track.channels == (6 if clip.channels == "7.1" else 2)
    if clip.channels == "7.1":
        assert sound.note == (
            "sound: AAC in MP4 has no layout with all channels of 7.1; encoded as 5.1, "
            "SL and SR mixed into the other channels"
        )


def test_aac_with_a_gap_is_encoded_again(tmp_path: Path) -> None:
    """If this fails, sound behind a gap comes too early, as MP4 has no gaps within a track."""
    whole = Clip(frames=50, sound="aac").write(tmp_path / "a.mkv")
    with av.open(str(whole)) as source, av.open(str(tmp_path / "b.mkv"), "w") as out:
        streams = {one.index: out.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            number = packet.stream.index
            if packet.dts is None or (number == 1 and 0.6 < packet.pts * packet.time_base < 1.2):
                continue
            packet.stream = streams[number]
            out.mux(packet)
    sound = read_sound(str(tmp_path / "b.mkv"), "b", 1, Fraction(0), AT_ONCE, codec="aac")
    assert sound is not None
    assert not sound.copied
    assert sound.samples == pytest.approx(2 * RATE, abs=1100)


def test_the_encoder_is_close_to_the_sound() -> None:
    """If this fails, the sound of .mp4 results is worse than their bit rate allows."""
    at = np.arange(2 * RATE) / RATE
    samples = (0.3 * np.sin(2 * np.pi * np.array([[440.0], [660.0]]) * at)).astype(np.float32).T
    encoder = AacEncoder("stereo")
    for piece in np.array_split(samples, 11):
        encoder.add(np.ascontiguousarray(piece))
    packets = encoder.finish()
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.head
    frames = [frame for one in packets for frame in decoder.decode(av.Packet(one))]
    found = np.concatenate([frame.to_ndarray().T for frame in frames])[encoder.delay :]
    assert len(found) >= len(samples)
    within = slice(RATE // 4, -RATE // 4)
    error = np.square(found[: len(samples)][within] - samples[within]).mean()
    assert error < np.square(samples[within]).mean() / 1000
