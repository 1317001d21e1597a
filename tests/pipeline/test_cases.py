"""Inputs of the kinds that people report, each with its right value."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from excamera.cli import main
from tests.pipeline.clips import check_plays_alike, decode_ours, packet_times
from tests.support.shared import SHARED, needs

CASES = SHARED / "cases"
Capture = pytest.CaptureFixture[str]


@dataclass
class Right:
    """What is right: frames, seconds of the picture, whether there is sound, words of a note."""

    frames: int
    seconds: float
    sound: bool = False
    note: str = ""


RIGHT = {
    "packed.avi": Right(48, 2.08, sound=True),
    "t_lost.ts": Right(100, 4.0, sound=True, note="damaged or missing: concealed"),
    "t_cat.ts": Right(100, 4.0, sound=True, note="the clock jumps once"),
    "s2.vob": Right(200, 8.0, sound=True, note="the clock jumps once"),
    "s_jump.vob": Right(200, 8.0, sound=True, note="the clock jumps once"),
    "m_late.flv": Right(50, 2.0, sound=True),
    "x_theora.ogg": Right(13, 3.72, sound=True),
    "i.bmp": Right(1, 0.04),
    "i.tiff": Right(1, 0.04),
    "anim.apng": Right(10, 1.0),
    "dnxhd.mxf": Right(5, 0.2),
    "c_mono.nut": Right(25, 1.0),
    "k_h264.mxf": Right(25, 1.0),
    "k_rpza.mov": Right(25, 1.0),
    "q_abad.mkv": Right(50, 2.02, sound=True, note="88 packets of sound could not be decoded"),
    "interlaced.ts": Right(12, 1.0, note="interlaced: made whole pictures"),
    "meta.mkv": Right(25, 1.02, sound=True, note="left out: 1 sound track (deu), 1 subtitle"),
}


@pytest.mark.slow  # many encodes, one after another
@needs(CASES)
@pytest.mark.parametrize("name", RIGHT)
def test_each_case_has_its_right_value(name: str, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a kind of file that people have is refused, cut short or out of step."""
    right = RIGHT[name]
    output = tmp_path / "result.webm"
    assert main(["encode", str(CASES / name), str(output), "--crf", "10"]) == 0
    assert right.note in capfd.readouterr().err
    times = packet_times(output)
    assert len(check_plays_alike(output)) == len(times) == right.frames
    assert all(before < after for before, after in pairwise(times))
    assert float(times[0]) < 0.2
    with av.open(str(output)) as container:
        assert len(container.streams.audio) == right.sound
        assert container.duration is not None
        assert right.seconds - 0.01 < container.duration / 1e6 < right.seconds + 0.35


@needs(CASES)
def test_one_correction_of_the_clock_serves_picture_and_sound(tmp_path: Path) -> None:
    """If this fails, the second part of a joined recording is silent, or out of step."""
    output = tmp_path / "result.webm"
    assert main(["encode", str(CASES / "s2.vob"), str(output), "--crf", "40"]) == 0
    with av.open(str(output)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        frames = [one for frame in container.decode(audio=0) for one in resampler.resample(frame)]
    samples = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    loud = np.abs(samples[: len(samples) // 4800 * 4800]).reshape(-1, 4800).max(1) > 0.02
    beeps = np.flatnonzero(np.diff(loud.astype(int)) == 1)
    assert len(beeps) == 6
    assert np.abs(np.diff(beeps) - 16).max() <= 8  # tenths of a second


@needs(CASES)
def test_a_key_frame_flag_that_lies_is_found_out(tmp_path: Path) -> None:
    """If this fails, workers begin at pictures that need others, and show garbage."""
    source, output = CASES / "k_rpza.mov", tmp_path / "result.ivf"
    assert main(["encode", str(source), str(output), "--crf", "0", "-n", "3", "-x", "2"]) == 0
    with av.open(str(source)) as container:
        whole = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
    for picture, frame in zip(decode_ours(output), whole, strict=True):
        height = frame.shape[0] * 2 // 3
        luma = np.frombuffer(picture, np.uint8, height * frame.shape[1]).astype(float)
        error = np.mean((luma - frame[:height].ravel()) ** 2)
        assert 10 * np.log10(255**2 / error) > 40
