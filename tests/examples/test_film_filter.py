"""The filtered film has every frame of the source, sharper, at its time, and the sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from examples.film_filter import Span, filter_span, join, sharpened, spans
from excamera.media.container.output import ENDINGS
from excamera.media.sample import SampleClip, write_sample
from excamera.media.source.picture import planes_of
from excamera.media.source.reader import read_all
from tests.pipeline.clips import (
    Clip,
    check_plays_alike,
    decoded_times,
    in_milliseconds,
    packet_times,
    write_sound_only,
)
from tests.pipeline.test_sources import CLIPS
from tests.support.examples import lines_of, refusal, run_example

# Frames at unequal distances, coded in another order than they are shown in.
CLIP = Clip(
    frames=20,
    width=98,
    height=66,
    options={"crf": "10", "g": "8", "bf": "2"},
    pts=[40 + 41 * number + number % 3 for number in range(20)],
    time_base=Fraction(1, 1000),
    sound="aac",
    sound_s=1.0,
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with sound."""
    return CLIP.write(tmp_path_factory.mktemp("film") / "film.mp4")


def sharpened_slowly(luma: Any, strength: float) -> Any:
    """The same filter, one pixel at a time."""
    weights = np.outer((1, 4, 6, 4, 1), (1, 4, 6, 4, 1)) / 256
    edged = np.pad(luma.astype(float), 2, mode="edge")
    found = np.empty(luma.shape)
    for y, x in np.ndindex(luma.shape):
        blurred = (edged[y : y + 5, x : x + 5] * weights).sum()
        found[y, x] = luma[y, x] + strength * (luma[y, x] - blurred)
    return found


def test_the_filter_is_an_unsharp_mask() -> None:
    """If this fails, pictures are filtered by something else."""
    luma = np.random.default_rng(5).integers(60, 180, (9, 14)).astype(np.uint8)
    expected = np.clip(sharpened_slowly(luma, 0.75), 16, 235)
    assert np.abs(sharpened(luma, 0.75) - expected).max() <= 0.5
    assert np.array_equal(sharpened(luma, 0), luma)
    edge = np.repeat(np.array([[20, 230]], np.uint8), 8, axis=1).reshape(1, -1)
    assert (sharpened(edge, 10).min(), sharpened(edge, 10).max()) == (16, 235)


@pytest.mark.parametrize("frames", [1, 7, 20, 100])
def test_frames_do_not_depend_on_the_spans(frames: int, film: Path, tmp_path: Path) -> None:
    """If this fails, frames at seams are lost, doubled, or damaged."""
    cut = spans(str(film), frames)
    assert len(cut) == -(-20 // frames)
    parts = []
    for number, span in enumerate(cut):
        parts.append(tmp_path / f"{number}.mkv")
        parts[-1].write_bytes(filter_span(str(film), 0.5, span))
    join(parts, str(film), tmp_path / "joined.mkv")
    assert decoded_times(tmp_path / "joined.mkv") == decoded_times(film)
    sources = (planes_of(frame) for frame in read_all(str(film), "film"))
    for frame, (luma, blue, red) in zip(
        read_all(str(tmp_path / "joined.mkv"), "joined"), sources, strict=True
    ):
        for plane, expected in zip(
            planes_of(frame), (sharpened(luma, 0.5), blue, red), strict=True
        ):
            assert np.array_equal(plane, expected)
    sounds = []
    for path in (film, tmp_path / "joined.mkv"):
        with av.open(str(path)) as container:
            packets = [p for p in container.demux(audio=0) if p.dts is not None]
            sounds.append([(bytes(p), round(p.pts * p.time_base * 1000)) for p in packets])
    assert sounds[0] == sounds[1]
    assert sounds[0][0][1] < 0  # which must not move the pictures


def test_a_frame_that_cannot_be_reached_is_named(film: Path) -> None:
    """If this fails, a film with a wrong index loses frames silently."""
    first, *_ = spans(str(film), 5)
    with pytest.raises(ValueError, match=r"film\.mp4: the frame at \d+ cannot be reached"):
        filter_span(str(film), 1, Span(first.start - 1, None))


@pytest.mark.parametrize(
    "name",
    ["open-gop.mp4", "hidden-frames.webm", "x.flv", "late.mkv", "10-bit-422.mkv", "one-frame.mp4"],
)
def test_films_of_many_kinds_keep_their_frames(name: str, tmp_path: Path) -> None:
    """If this fails, only tidy films can be filtered."""
    film = CLIPS[name].write(tmp_path / name)
    parts = []
    for number, span in enumerate(spans(str(film), 5)):
        parts.append(tmp_path / f"{number}.part")
        parts[-1].write_bytes(filter_span(str(film), 0.5, span))
    join(parts, str(film), tmp_path / "joined.mkv")
    assert decoded_times(tmp_path / "joined.mkv") == decoded_times(film)


def test_the_program_filters_and_encodes(tmp_path: Path) -> None:
    """If this fails, the command of the page does not work."""
    film, output = tmp_path / "film.mp4", tmp_path / "sharp.webm"
    write_sample(film, SampleClip(160, 96, 24, 1))
    done = run_example(
        "film_filter", "film.mp4", "sharp.webm", "--span-frames", "7", "--crf", "10",
        "--workers", "2", inside=tmp_path,
    )  # fmt: skip
    lines = lines_of(done)
    assert lines[0] == "24 frames in 4 spans, all times kept"
    assert packet_times(output) == [Fraction(t, 1000) for t in in_milliseconds(decoded_times(film))]
    assert lines[1] == f"sharp.webm: {output.stat().st_size:,} bytes, 1 key frame"
    before, after = (float(word.rstrip(",")) for word in lines[2].split() if word[0].isdigit())
    assert before * 1.2 < after < before * 2
    assert float(lines[3].split()[-2]) > 35
    check_plays_alike(output)
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.name == "opus"
    assert sorted(tmp_path.iterdir()) == [film, output]


def test_pictures_keep_their_shape(tmp_path: Path) -> None:
    """If this fails, a film from a phone comes out lying on its side, or stretched."""
    turned = Clip(frames=3, width=64, height=48, rotation=90, sample_aspect=Fraction(4, 3))
    turned.write(tmp_path / "turned.mp4")
    lines_of(run_example("film_filter", "turned.mp4", "out.webm", inside=tmp_path))
    with av.open(str(tmp_path / "out.webm")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (48, 64)
        # Matroska holds whole pixels of a display.
        assert float(video.sample_aspect_ratio or 1) == pytest.approx(3 / 4, rel=0.01)


def test_mistakes_are_named(tmp_path: Path) -> None:
    """If this fails, a file that is no film ends in a traceback, or after all the work."""
    (tmp_path / "text.mp4").write_text("text")
    write_sound_only(tmp_path / "sound.mp4")
    Clip(frames=3).write(tmp_path / "raw.264", "h264")
    Clip(frames=3, width=33, height=24, encoder="ffv1", options={}).write(tmp_path / "odd.mkv")
    for source, output, expected in (
        ("text.mp4", "out.webm", "text.mp4: not a video"),
        ("sound.mp4", "out.webm", "sound.mp4: no video stream"),
        ("raw.264", "out.webm", "raw.264: its frames have no timestamps"),
        ("none.mp4", "out.webm", "none.mp4: there is no such file"),
        ("*.mp4", "out.webm", "*.mp4: names 2 films"),
        ("odd.mkv", "out.webm", "ValueError: 33x24: sides must be even numbers"),
        ("text.mp4", "out.avi", f"out.avi: the output must end in {ENDINGS}"),
        ("sound.mp4", "none/out.webm", "none/out.webm: there is no folder none"),
    ):
        done = run_example("film_filter", source, output, inside=tmp_path)
        assert refusal(done).endswith(f": {expected}")
