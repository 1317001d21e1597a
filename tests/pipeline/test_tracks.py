"""Several sound tracks in one result: which, in which order, each as it would be alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from excamera.cli import main
from excamera.errors import OptionError
from excamera.job.forms import parse_audio
from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.local import encode_file
from excamera.price.estimate import estimate
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.size import result_bytes
from excamera.price.workers import Workers
from tests.pipeline.clips import RATE, Clip

OPTIONS = EncodeOptions(chunk_frames=15, batch_chunks=1, crf=60, audio="all")


@dataclass
class Track:
    """A sound track: a sine of some frequency."""

    hertz: int
    encoder: str = "aac"
    layout: str = "stereo"
    language: str = ""
    title: str = ""
    default: bool = False
    start_s: float = 0.0

    def samples(self, seconds: float) -> np.ndarray:
        """All channels: (channels, samples) in float32."""
        at = np.arange(round(seconds * RATE)) / RATE
        tone = (0.5 * np.sin(2 * np.pi * self.hertz * at)).astype(np.float32)
        count = len(av.AudioLayout(self.layout).channels)
        return np.stack([tone / (1 + channel) for channel in range(count)])


DEUTSCH = Track(440, language="ger", title="Deutsch")
ENGLISH = Track(880, layout="5.1", language="eng", title="5.1 film", default=True)
OPUS = Track(660, "libopus", "mono", language="eng", title="Commentary", start_s=0.3)


@dataclass
class Source:
    """A film with a picture and these tracks."""

    tracks: list[Track] = field(default_factory=lambda: [DEUTSCH, ENGLISH, OPUS])
    seconds: float = 2.0

    def write(self, path: Path) -> Path:
        """Write it with PyAV."""
        picture = Clip(frames=round(25 * self.seconds), options={"crf": "40"}).write(
            path.with_name("picture.mp4")
        )
        with av.open(str(picture)) as film, av.open(str(path), "w") as out:
            video = out.add_stream_from_template(film.streams.video[0])
            streams = []
            for one in self.tracks:
                made: Any = out.add_stream(one.encoder, rate=RATE, layout=one.layout)
                made.metadata.update({"language": one.language, "title": one.title})
                made.disposition = 1 if one.default else 0
                streams.append(made)
            packets = [packet for packet in film.demux(video=0) if packet.size]
            for packet in packets:
                packet.stream = video
            for one, stream in zip(self.tracks, streams, strict=True):
                packets += self._packets(one, stream)
            for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
                out.mux(packet)
        return path

    def _packets(self, track: Track, stream: Any) -> list[Any]:
        stream.codec_context.open(strict=False)
        size = stream.codec_context.frame_size or 1024
        samples = track.samples(self.seconds - track.start_s)
        kind = stream.codec_context.format.name
        found = []
        for start in range(0, samples.shape[1], size):
            part = samples[:, start : start + size]
            if kind == "s16":
                part = (part * 32767).astype(np.int16)
            data = part if kind.endswith("p") else part.T.reshape(1, -1)
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(data), kind, track.layout)
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = start + round(track.start_s * RATE)
            found += stream.encode(frame)
        return found + stream.encode(None)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with German, English as the default, and a commentary in Opus that begins later."""
    return Source().write(tmp_path_factory.mktemp("tracks") / "film.mkv")


def packets_of(path: Path, number: int) -> list[tuple[Fraction, bytes]]:
    """Time and bytes of each packet of a sound track, counted from 0."""
    with av.open(str(path)) as container:
        found = container.demux(container.streams.audio[number])
        return [(one.pts * one.time_base, bytes(one)) for one in found if one.size]


def told(path: Path) -> list[tuple[str, str, int, int, bool]]:
    """Of each sound track language, title, number of channels, loudest frequency, default."""
    found = []
    with av.open(str(path)) as container:
        tracks = len(container.streams.audio)
    for number in range(tracks):
        with av.open(str(path)) as container:
            stream = container.streams.audio[number]
            resampler = av.AudioResampler(format="fltp", rate=RATE)
            pieces = [
                one.to_ndarray()
                for frame in container.decode(stream)
                for one in resampler.resample(frame)
            ]
            samples = np.concatenate(pieces, axis=1)
            middle = samples[:, RATE // 2 : RATE * 3 // 2]
            hertz = int(np.abs(np.fft.rfft(middle[0])).argmax() * RATE / middle.shape[1])
            tags = stream.metadata
            title = tags.get("title") or tags.get("name") or tags.get("handler_name", "")
            default = bool(stream.disposition & stream.disposition.default)
            found.append((tags.get("language", ""), title, samples.shape[0], hertz, default))
    return found


@pytest.mark.parametrize(("ending", "codec"), [("webm", "vp8"), ("mp4", "h264")])
def test_all_tracks_are_kept(ending: str, codec: str, source: Path, tmp_path: Path) -> None:
    """If this fails, a track has another's sound, name, language or channels, or is not in step."""
    output = tmp_path / f"out.{ending}"
    options = EncodeOptions(codec=codec, chunk_frames=15, audio="all")
    result = encode_file(str(source), output, options, workers=2)
    assert result.sound == "mixed"
    assert not [note for note in result.notes if "sound" in note]
    assert told(output) == [
        ("eng", "5.1 film", 6, 880, True),
        ("ger", "Deutsch", 2, 440, False),
        ("eng", "Commentary", 1, 660, False),
    ]
    # Each is what it would be alone.
    for number, chosen in enumerate(("2", "1", "3")):
        alone = tmp_path / f"{chosen}.{ending}"
        one = EncodeOptions(codec=codec, chunk_frames=15, audio=chosen)
        encode_file(str(source), alone, one, workers=1)
        assert packets_of(alone, 0) == packets_of(output, number)


def test_opus_is_copied_beside_a_track_that_is_encoded(source: Path, tmp_path: Path) -> None:
    """If this fails, one track that has to be encoded costs the others their quality."""
    output = tmp_path / "out.webm"
    encode_file(str(source), output, OPTIONS, workers=2)
    before, after = packets_of(source, 2), packets_of(output, 2)
    assert [data for _, data in after] == [data for _, data in before]


@pytest.mark.parametrize(
    ("chosen", "languages"),
    [
        ("", ["eng"]),
        ("all", ["eng", "ger", "eng"]),
        ("ger, eng", ["ger", "eng"]),
        ("3,1", ["eng", "ger"]),
        ("ger", ["ger"]),
    ],
)
def test_the_order_is_the_users(
    chosen: str, languages: list[str], source: Path, tmp_path: Path
) -> None:
    """If this fails, players begin with another track than the one that was named first."""
    output = tmp_path / "out.webm"
    options = EncodeOptions(chunk_frames=50, batch_chunks=1, crf=60, audio=chosen)
    encode_file(str(source), output, options, workers=1)
    tracks = told(output)
    assert [language for language, *_ in tracks] == languages
    assert [default for *_, default in tracks] == [True, *[False] * (len(languages) - 1)]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("1,4", "audio 4: there is no such sound track: there are 1 (ger, Deutsch), 2 (eng, 5.1"),
        ("eng,ita", "audio ita: there is no such sound track"),
        ("2,eng", "audio 2,eng: eng is track 2, which is there already"),
        ("all,1", "audio must be numbers from 1 or languages"),
        ("1,,2", "audio must be numbers from 1 or languages"),
        ("0", "audio must be numbers from 1 or languages"),
    ],
)
def test_a_wrong_choice_is_explained(
    chosen: str, message: str, source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If this fails, users must guess which tracks there are, or get one twice."""
    assert main(["encode", str(source), str(tmp_path / "a.webm"), "--audio", chosen]) == 2
    assert message in capfd.readouterr().err


def test_what_users_may_write() -> None:
    """If this fails, a number or a language means another track than before."""
    assert parse_audio("2") == (2,)
    assert parse_audio(" ENG ") == ("eng",)
    assert parse_audio("1, ger,3") == (1, "ger", 3)
    assert parse_audio("none") == ("none",)
    with pytest.raises(OptionError):
        parse_audio("none,1")


def test_a_silent_track_is_left_out(tmp_path: Path) -> None:
    """If this fails, a track without packets breaks the file, or shifts the names of the others."""
    late = Track(500, language="fra", title="Français")
    never = Track(300, language="ita", start_s=1.0)
    film = Source([never, late], seconds=1.0).write(tmp_path / "film.mkv")
    for ending, codec in (("webm", "vp8"), ("mp4", "h264")):
        output = tmp_path / f"out.{ending}"
        options = EncodeOptions(codec=codec, chunk_frames=25, audio="all")
        encode_file(str(film), output, options, workers=1)
        assert [(one[0], one[1], one[4]) for one in told(output)] == [("fra", "Français", True)]


def test_room_and_price_count_every_track() -> None:
    """If this fails, a job with five languages is expected to be as small as one with one."""
    options, pace, workers = EncodeOptions(), Pace(), Workers(DEFAULT_MEMORY_MB)
    films = [Film(2500, 640, 360, 100.0, sound) for sound in range(4)]
    sizes = np.diff([result_bytes(film, options, pace) for film in films])
    usages = [estimate(film, options, workers, pace).usage for film in films]
    seconds = np.diff([usage.gb_seconds["audio"] for usage in usages])
    assert sizes.min() > 0
    assert sizes == pytest.approx(sizes[0])
    assert seconds.min() > 0
    assert seconds == pytest.approx(seconds[0])


def test_mkvmerge_and_mediainfo_see_the_same_tracks(source: Path, tmp_path: Path) -> None:
    """If this fails, a container is wrong in a way that FFmpeg forgives."""
    if shutil.which("mkvmerge") is None or shutil.which("mediainfo") is None:
        pytest.skip("mkvmerge or mediainfo is not installed")
    for ending, codec in (("webm", "vp8"), ("mp4", "h264")):
        output = tmp_path / f"out.{ending}"
        options = EncodeOptions(codec=codec, chunk_frames=15, audio="all")
        encode_file(str(source), output, options, workers=2)
        merged = _said("mkvmerge", "--ui-language", "en_US", "-J", output)
        assert not merged["errors"]
        assert not merged["warnings"]
        tracks = [one["properties"] for one in merged["tracks"] if one["type"] == "audio"]
        assert [one["language"] for one in tracks] == ["eng", "ger", "eng"]
        assert [one["audio_channels"] for one in tracks] == [6, 2, 1]
        if ending == "webm":
            assert [one["track_name"] for one in tracks] == ["5.1 film", "Deutsch", "Commentary"]
            assert [one["default_track"] for one in tracks] == [True, False, False]
        report = _said("mediainfo", "--Output=JSON", output)
        heard = [one for one in report["media"]["track"] if one["@type"] == "Audio"]
        assert [one["Title"] for one in heard] == ["5.1 film", "Deutsch", "Commentary"]
        assert [one["Language"] for one in heard] == ["en", "de", "en"]
        assert [one["Default"] for one in heard] == ["Yes", "No", "No"]
        assert "Conformance" not in json.dumps(report)


def test_mediaconch_finds_nothing_wrong(source: Path, tmp_path: Path) -> None:
    """If this fails, a file of several tracks breaks a rule of Matroska."""
    if shutil.which("mediaconch") is None:
        pytest.skip("mediaconch is not installed")
    output = tmp_path / "a.webm"
    encode_file(str(source), output, OPTIONS, workers=1)
    done = subprocess.run(["mediaconch", output], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("pass!"), done.stdout


def _said(*command: Any) -> Any:
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)
