"""Clocks that start again, jump or start late: picture and sound keep together."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from excamera.cli import main
from excamera.media.source.clock import Clock, Ticks, common_clock
from tests.pipeline.clips import (
    RATE,
    Clip,
    check_plays_alike,
    decoded_times,
    mean_error,
    moving_picture,
    packet_times,
)

Capture = pytest.CaptureFixture[str]
OPTIONS = {"crf": "10", "bf": "2", "g": "25"}
MPEG2 = {"qmin": "2", "qmax": "3", "bf": "2", "g": "12"}


def encoded(source: Path, capfd: Capture) -> tuple[Path, str]:
    """The result, and what was said on the way."""
    output = source.with_name("result.webm")
    arguments = ["encode", str(source), str(output), "--crf", "10", "-n", "6", "-x", "4"]
    assert main(arguments) == 0
    return output, capfd.readouterr().err


def clicks(path: Path) -> list[float]:
    """When the clicks of a file begin, in seconds after the first sample."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frames = [one for frame in container.decode(audio=0) for one in resampler.resample(frame)]
    samples = np.abs(np.concatenate([frame.to_ndarray().ravel() for frame in frames]))
    size = RATE // 200
    loud = samples[: len(samples) // size * size].reshape(-1, size).max(1) > 0.15
    starts = np.flatnonzero(loud)
    return [at * size / RATE for at in starts if not loud[max(0, at - 8) : at].any()]


def after_the_picture(path: Path) -> list[float]:
    """When the clicks of a file begin, in seconds after its first picture."""
    first = float(decoded_times(path)[0])
    with av.open(str(path)) as container:
        begin = next(iter(container.decode(audio=0)))
    return [float(begin.pts * begin.time_base) + at - first for at in clicks(path)]


def joined(part: Path) -> Path:
    """A recording twice, one after the other, as `cat` joins files."""
    source = part.with_name(f"again{part.suffix}")
    source.write_bytes(2 * part.read_bytes())
    return source


def moved(source: Path, after: int, by: int) -> Path:
    """A copy of a file whose clock jumps by seconds after so many packets of the picture."""
    target = source.with_name(f"jump{source.suffix}")
    seen, late = 0, False
    with av.open(str(source)) as a, av.open(str(target), "w") as b:
        streams = {s.index: b.add_stream_from_template(s) for s in a.streams}
        for packet in a.demux():
            if not packet.size:
                continue
            seen += packet.stream.type == "video"
            late = late or seen > after
            if late:
                ticks = round(by / packet.time_base)
                packet.pts += ticks
                packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.stream = streams[packet.stream.index]
            b.mux_one(packet)
    return target


PARTS = {
    "a.ts": Clip(frames=50, options=OPTIONS, sound="aac"),
    "a.vob": Clip(frames=50, encoder="mpeg2video", options=MPEG2, sound="mp2"),
}
WHOLES = {
    "a.flv": (Clip(frames=100, options=OPTIONS, sound="aac"), 600),
    "a.ts": (Clip(frames=100, options=OPTIONS, sound="aac"), 3600),
    "a.mkv": (Clip(frames=100, options=OPTIONS, sound="aac"), 600),
}


def check_times(output: Path) -> list[float]:
    """Check that 100 pictures follow each other without a gap, and return their times."""
    times = packet_times(output)
    assert len(times) == 100
    assert {round((b - a) * 1000) for a, b in pairwise(times)} == {40}
    return [float(time) for time in times]


def check_in_step(found: list[float], wanted: list[float]) -> None:
    """Check that clicks are where they should be, apart from those at the joints."""
    for at in found:
        assert min(abs(at - time) for time in wanted) < 0.04, (found, wanted)
    assert len(found) >= len(wanted) - 2


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_clock_that_starts_again(name: str, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, joined recordings lose their second part, or its sound."""
    part = PARTS[name].write(tmp_path / name)
    output, said = encoded(joined(part), capfd)
    assert "note: the clock jumps once" in said
    times = check_times(output)
    for number, picture in enumerate(check_plays_alike(output)):
        assert mean_error(picture, moving_picture(number % 50)) < 4, f"frame {number}"
    own = after_the_picture(part)
    wanted = [begin + click for begin in (0.0, times[50] - times[0]) for click in own]
    check_in_step(after_the_picture(output), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLES)
def test_a_clock_that_jumps(name: str, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a repaired recording has an hour of nothing in its middle."""
    clip, by = WHOLES[name]
    source = clip.write(tmp_path / name)
    output, said = encoded(moved(source, 50, by), capfd)
    assert "note: the clock jumps once" in said
    check_times(output)
    for number, picture in enumerate(check_plays_alike(output)):
        assert mean_error(picture, moving_picture(number)) < 4, f"frame {number}"
    check_in_step(after_the_picture(output), after_the_picture(source))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.flv", "a.nut"])
def test_a_slide_show_without_sound_keeps_its_pauses(
    name: str, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, pictures of a talk that was recorded without its sound rush by."""
    times = [0, 8000, 8040, 30_000]
    clip = Clip(frames=4, pts=times, time_base=Fraction(1, 1000), options={"crf": "10", "bf": "0"})
    output, said = encoded(clip.write(tmp_path / name), capfd)
    assert "clock" not in said
    assert [round(time * 1000) for time in packet_times(output)] == times


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.flv", "a.mkv", "a.ts"])
def test_a_late_start_is_brought_to_zero(name: str, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a film begins after ten minutes of nothing."""
    whole = Clip(frames=25, options=OPTIONS, sound="aac").write(tmp_path / name)
    output, _ = encoded(moved(whole, 0, 600), capfd)
    times = packet_times(output)
    assert len(times) == 25
    assert times[0] < Fraction(1, 5)
    assert times[-1] < Fraction(6, 5)


def ticks(*times: float, places: list[int] | None = None, step: float = 0.04) -> Ticks:
    """Packets of a stream with these times."""
    made = Ticks()
    for number, time in enumerate(times):
        made.add(number if places is None else places[number], number, time, time, step)
    return made


def test_a_jump_moves_both_streams_alike() -> None:
    """If this fails, sound drifts from the picture at every joint."""
    video = ticks(0, 0.04, 0.08, 100, 100.04, places=[0, 2, 4, 6, 8])
    sound = ticks(0.01, 0.05, 0.09, 100.03, 100.07, places=[1, 3, 5, 7, 9])
    of_video, (of_sound,) = common_clock(video, [sound])
    assert of_video == Clock(((3, Fraction("-99.88")),))
    assert of_sound == Clock(((3, Fraction("-99.88")),))
    assert of_sound.correction(2) == 0
    assert of_sound.correction(3) == Fraction("-99.88")


def test_clocks_that_start_again_and_again() -> None:
    """If this fails, the third part of a recording lies over the second."""
    video = ticks(0, 0.04, 0, 0.04, 0, 0.04)
    assert common_clock(video, [])[0].pieces == ()  # within what reordering explains
    video = ticks(0, 0.5, 1.0, 0, 0.5, 1.0, 0, step=0.5)
    assert common_clock(video, [])[0].pieces == ((3, Fraction("1.5")), (6, Fraction(3)))


def test_a_pause_that_the_other_stream_fills_is_kept() -> None:
    """If this fails, a still picture under a long speech is cut out, and the speech with it."""
    sound = ticks(*(number / 2 for number in range(60)), places=list(range(1, 61)), step=0.5)
    video = ticks(0, 0.04, 25, 25.04, places=[0, 2, 55, 57])
    assert common_clock(video, [sound]) == (Clock(), [Clock()])
    assert common_clock(video, [])[0].pieces == ((2, Fraction("-24.92")),)
    assert common_clock(video, [], steady=False)[0] == Clock()


def test_a_jump_of_one_stream_is_its_own() -> None:
    """If this fails, a fault in the sound's clock moves the picture."""
    video = ticks(*(number / 25 for number in range(100)), places=list(range(0, 200, 2)))
    sound = ticks(0, 0.04, 50, 50.04, places=[1, 3, 5, 7])
    assert common_clock(video, [sound]) == (Clock(), [Clock(((2, Fraction("-49.92")),))])
