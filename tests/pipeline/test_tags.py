"""What a source says of itself, and what it holds besides one picture and one sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.packet import Packet

from excamera.cli import main
from excamera.media.source.media import open_media
from excamera.media.source.picture import frame_of
from excamera.media.source.streams import left_out
from tests.pipeline.clips import RATE, Clip, decode_ours, mean_error, moving_picture

Capture = pytest.CaptureFixture[str]
_DEFAULT = 1  # FFmpeg's AV_DISPOSITION_DEFAULT


def write(path: Path, sounds: tuple[str, ...] = (), videos: tuple[int, ...] = (0,)) -> Path:
    """A film with a title, sound tracks in some languages, and pictures that begin at numbers."""
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "Ein Film: <b>& mehr</b>"
        tracks: list[Any] = []
        for place, _ in enumerate(videos):
            video = out.add_stream("libx264", rate=25, options={"crf": "10", "bf": "0"})
            video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
            video.metadata["language"] = "nld"
            video.disposition = _DEFAULT if place == len(videos) - 1 else 0
            tracks.append(video)
        for place, language in enumerate(sounds):
            sound = out.add_stream("libopus", rate=RATE, layout="mono")
            sound.metadata["language"] = language
            sound.disposition = _DEFAULT if place == len(sounds) - 1 else 0
            tracks.append(sound)
        for number in range(10):
            for video, begin in zip(tracks, videos, strict=False):
                frame = frame_of(moving_picture(begin + number))
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(video.encode(frame))
            for sound in tracks[len(videos) :]:
                data = np.zeros((1, 1920), np.float32)
                piece = AudioFrame.from_ndarray(data, "flt", "mono")
                piece.sample_rate, piece.pts = RATE, number * 1920
                out.mux(sound.encode(piece))
        for track in tracks:
            out.mux(track.encode(None))
    return path


def test_title_and_languages_are_kept_and_the_rest_is_said(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a film loses its name, or a language without a word."""
    source = write(tmp_path / "a.mkv", sounds=("deu", "eng"))
    output = tmp_path / "result.webm"
    assert main(["encode", str(source), str(output)]) == 0
    assert "note: left out: 1 sound track (deu)\n" in capfd.readouterr().err
    with av.open(str(output)) as container:
        assert container.metadata["title"] == "Ein Film: <b>& mehr</b>"
        assert [stream.language for stream in container.streams] == ["nld", "eng"]


def test_the_default_of_two_pictures_is_taken(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a film's commentary camera is encoded instead of the film."""
    source = write(tmp_path / "a.mkv", videos=(0, 40))
    output = tmp_path / "result.ivf"
    assert main(["encode", str(source), str(output), "--crf", "10"]) == 0
    assert "note: left out: 1 picture track (nld)" in capfd.readouterr().err
    for number, picture in enumerate(decode_ours(output)):
        assert mean_error(picture, moving_picture(40 + number)) < 3.5


def test_a_plain_film_has_nothing_to_be_said(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, every encode ends with words that nobody needs."""
    source = Clip(frames=10, sound="aac").write(tmp_path / "a.mp4")
    assert main(["encode", str(source), str(tmp_path / "result.webm")]) == 0
    assert "note" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_ivf_counts_frames(name: str, tmp_path: Path) -> None:
    """If this fails, an IVF file's header tells players a rate of thousands of frames a second."""
    options = {"crf": "10", "bf": "2"}
    source = Clip(frames=12, rate=30, options=options).write(tmp_path / name)
    output = tmp_path / "result.ivf"
    assert main(["encode", str(source), str(output)]) == 0
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert stream.time_base == Fraction(1, 30)
        times = [packet.pts for packet in container.demux(stream) if packet.size]
        shown = sorted(set(times))
    assert shown == list(range(shown[0], shown[0] + 12))


def test_ivf_keeps_the_clock_of_a_varying_rate(tmp_path: Path) -> None:
    """If this fails, pictures of a screen recording are shown at wrong times in IVF."""
    pts = [0, 40, 41, 100, 1000, 1001]
    source = Clip(frames=6, pts=pts, time_base=Fraction(1, 1000)).write(tmp_path / "a.mkv")
    output = tmp_path / "result.ivf"
    assert main(["encode", str(source), str(output)]) == 0
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert stream.time_base == Fraction(1, 1000)
        assert sorted({p.pts for p in container.demux(stream) if p.size}) == pts


@pytest.mark.parametrize(
    ("given", "language", "left"),
    [
        ((), "eng", "2 sound tracks (deu, fra)"),
        (("--audio", "1"), "deu", "2 sound tracks (fra, eng)"),
        (("--audio", "FRA"), "fra", "2 sound tracks (deu, eng)"),
        (("--audio", "none"), None, "3 sound tracks (deu, fra, eng)"),
        (("--no-audio",), None, "3 sound tracks (deu, fra, eng)"),
    ],
)
def test_a_sound_track_is_chosen(
    given: tuple[str, ...], language: str | None, left: str, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, the result has another language than the user chose, or any sound at all."""
    source = write(tmp_path / "a.mkv", sounds=("deu", "fra", "eng"))
    output = tmp_path / "result.webm"
    assert main(["encode", str(source), str(output), *given]) == 0
    assert f"note: left out: {left}\n" in capfd.readouterr().err
    with av.open(str(output)) as container:
        assert [one.language for one in container.streams.audio] == ([language] if language else [])


def test_a_sound_track_that_does_not_exist_is_refused_with_those_that_do(
    tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a mistyped language is a film without sound, or with another one."""
    source = write(tmp_path / "a.mkv", sounds=("deu", "und"))
    for chosen in ("3", "eng"):
        assert main(["encode", str(source), str(tmp_path / "a.webm"), "--audio", chosen]) == 2
        wanted = f"audio {chosen}: there is no such sound track: there are 1 (deu), 2"
        assert wanted in capfd.readouterr().err
    silent = write(tmp_path / "b.mkv")
    assert main(["encode", str(silent), str(tmp_path / "a.webm"), "--audio", "1"]) == 2
    assert "the source has no sound" in capfd.readouterr().err


def test_every_kind_of_what_is_left_out_is_said(tmp_path: Path) -> None:
    """If this fails, subtitles, attachments or other data are lost without a word."""
    path, words_path = tmp_path / "a.mkv", tmp_path / "a.srt"
    words_path.write_text("1\n00:00:00,000 --> 00:00:00,100\nHallo\n")
    with av.open(str(path), "w") as out, av.open(str(words_path)) as said:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        out.add_attachment("font.ttf", "font/ttf", b"a font")
        words = out.add_stream_from_template(said.streams.subtitles[0])
        words.metadata["language"] = "deu"
        chapter = {"id": 1, "start": 0, "end": 2, "time_base": Fraction(1, 25), "metadata": {}}
        out.set_chapters([chapter])
        for number in range(4):
            frame = frame_of(moving_picture(number))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    with open_media(str(path), "a.mkv") as opened:
        found = left_out(opened, [], chapters=False)
    assert found == "left out: 1 subtitle track (deu), 1 attachment, 1 chapter"


def test_data_tracks_are_said(tmp_path: Path) -> None:
    """If this fails, the data of a camera or a broadcast are lost without a word."""
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        data = out.add_data_stream("klv")
        for number in range(4):
            frame = frame_of(moving_picture(number))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
            packet = Packet(b"\x06\x0e\x2b\x34" + bytes(20))
            packet.stream, packet.pts, packet.dts = data, number * 3600, number * 3600
            out.mux(packet)
        out.mux(video.encode(None))
    with open_media(str(path), "a.ts") as opened:
        assert left_out(opened, [], chapters=True) == "left out: 1 data track"
