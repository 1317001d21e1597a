"""`excamera info`: what is in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

from excamera.cli import main
from excamera.media.info import info_of
from tests.pipeline.clips import Clip, write_sound_only

Capture = pytest.CaptureFixture[str]


def told(path: Path, capsys: Capture, *options: str) -> dict[str, Any]:
    """Returns what `excamera info --json` says."""
    assert main(["info", str(path), "--json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result with two key frames, hidden frames and sound."""
    folder = tmp_path_factory.mktemp("info")
    source = Clip(frames=48, sound="aac").write(folder / "film.mp4")
    output = folder / "film.webm"
    arguments = ["--chunk-frames", "6", "--batch-chunks", "4"]
    assert main(["encode", str(source), str(output), *arguments]) == 0
    return output


def test_what_ffmpeg_says_too(result: Path, capsys: Capture) -> None:
    """If this fails, sizes, rates or times of streams are not those of the file."""
    found = told(result, capsys)
    with av.open(str(result)) as container:
        packets = [one for one in container.demux() if one.size]
        duration_s = container.duration / av.time_base
    assert (found["size"], found["duration_s"]) == (result.stat().st_size, duration_s)
    for stream in found["streams"]:
        own = [one for one in packets if one.stream_index == stream["number"]]
        assert stream["packets"] == len(own)
        assert stream["size"] == sum(one.size for one in own)
    video, sound = found["streams"]
    assert (video["codec"], video["width"], video["height"]) == ("vp8", 96, 64)
    assert (sound["type"], sound["codec"], sound["sample_rate"]) == ("audio", "opus", 48000)
    keys = [one for one in packets if one.stream_index == 0 and one.is_keyframe]
    assert video["keys"] == len(keys) == 2
    assert video["key_frames"] == [float(one.pts * one.time_base) for one in keys]
    assert "frames" not in found


def test_types_of_vp8_need_no_decoding(result: Path, capsys: Capture) -> None:
    """If this fails, hidden frames are taken for shown ones, or their bytes are lost."""
    found = told(result, capsys, "--frames")
    types = found["streams"][0]["types"]
    # Each batch of four chunks: a key frame, three anchors, and all other frames.
    assert {name: one["count"] for name, one in types.items()} == {
        "key": 2,
        "hidden": 6,
        "inter": 46,
    }
    assert sum(one["size"] for one in types.values()) == found["streams"][0]["size"]
    assert len(found["frames"]) == 54
    assert told(result, capsys)["streams"][0]["types"] == types


def test_types_of_other_codecs(tmp_path: Path, capsys: Capture) -> None:
    """If this fails, the frames of a source are listed with the types of others."""
    options = {"g": "12", "bf": "2", "b-adapt": "0", "sc_threshold": "0"}
    source = Clip(frames=24, options=options).write(tmp_path / "b.mp4")
    with av.open(str(source)) as container:
        expected = {
            float(frame.pts * frame.time_base): "?IPB"[frame.pict_type]
            for frame in container.decode(video=0)
        }
    frames = told(source, capsys, "--frames")["frames"]
    assert {one["time_s"]: one["type"] for one in frames} == expected
    assert set(expected.values()) == {"I", "P", "B"}
    assert told(source, capsys)["streams"][0]["types"] == {}


def test_a_file_in_words(result: Path, capsys: Capture) -> None:
    """If this fails, the command says something else than its JSON."""
    assert main(["info", str(result)]) == 0
    said = capsys.readouterr().out
    assert "video  vp8, 96x64, yuv420p" in said
    assert "2 key frames, 0.96 s apart (0.96 to 0.96)" in said
    assert "audio  opus, 48,000 Hz" in said
    assert "frame " not in said.replace("key frame ", "")


def test_a_title_cannot_steer_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    """If this fails, a hostile file moves the cursor, or writes lines of its own."""
    path = tmp_path / "bad.mkv"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "a\x1b[2J\n\u202eb"
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame(32, 32, "yuv420p")
        out.mux([*stream.encode(frame), *stream.encode(None)])
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert '"a\ufffd[2J\ufffd\ufffdb"' in said
    assert "\x1b" not in said


def test_files_without_a_picture_and_without_media(tmp_path: Path, capsys: Capture) -> None:
    """If this fails, sound alone cannot be looked at, or a text file ends in a stack trace."""
    [only] = info_of(str(write_sound_only(tmp_path / "sound.mp4"))).streams
    assert (only.type, only.codec) == ("audio", "aac")
    text = tmp_path / "text.txt"
    text.write_text("no film")
    assert main(["info", str(text)]) != 0
    assert "not a video" in capsys.readouterr().err
