"""The commands, as a user types them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import av
import pytest

import codec
from excamera.cli import main
from excamera.media.playback import read_file
from tests.pipeline.clips import Clip, decode_ours, i420
from tests.support.shared import VECTORS

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clip and its two encodes."""
    folder = tmp_path_factory.mktemp("cli")
    files = {"source": Clip(frames=10).write(folder / "a.mp4")}
    for kind in ("webm", "ivf"):
        files[kind] = folder / f"a.{kind}"
        assert main(["encode", str(files["source"]), str(files[kind]), "-n", "3", "-x", "2"]) == 0
    return files


def test_encode_says_what_it_made(result: dict[str, Path], tmp_path: Path, capfd: Capture) -> None:
    """If this fails, the user does not learn where the result is and how large."""
    output = tmp_path / "b.webm"
    assert main(["encode", str(result["source"]), str(output)]) == 0
    line = capfd.readouterr().out
    assert line.startswith(f"{output}: {output.stat().st_size:,} bytes, 0.400 s, ")
    assert line.endswith("kbit/s, 10 frames, 1 key frame, no sound\n")


def rows(page: Path) -> list[list[object]]:
    """The name, the place, the error and all else of each task on a page of `--timeline`."""
    data = json.loads(page.read_text().partition('id="records">')[2].partition("</script>")[0])
    return [[data["names"][row[0]], row[1], row[7], *row] for row in data["rows"]]


def test_encode_writes_its_timeline(result: dict[str, Path], tmp_path: Path) -> None:
    """If this fails, nobody sees what an encode spent its time on."""
    page = tmp_path / "t.html"
    page.write_text("a page of before")
    arguments = ["encode", str(result["source"]), str(tmp_path / "b.webm"), "-n", "3", "-x", "2"]
    assert main([*arguments, "--timeline", str(page)]) == 0
    assert "<h1>a.mp4</h1>" in page.read_text()
    tasks = sorted((str(name), str(place)) for name, place, *_ in rows(page))
    assert tasks == [
        ("audio", ""), ("encode", "0/0"), ("encode", "1/0"), ("index", ""), ("plan", ""),
        ("stitch", ""),
    ]  # fmt: skip
    assert all(error is None for _, _, error, *_ in rows(page))


def test_a_failed_encode_writes_its_timeline(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, the timeline is missing when it is needed most."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    page = tmp_path / "t.html"
    arguments = ["encode", str(broken), str(tmp_path / "b.webm"), "--timeline", str(page)]
    assert main(arguments) == 2
    assert "not a video" in capfd.readouterr().err
    assert [row[:3] for row in rows(page)] == [["index", "", "NotAVideo"]]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("a.mp4", "the timeline must end in .html"),
        ("no/t.html", "there is no folder"),
        ("folder.html", "is a directory"),
    ],
)
def test_a_timeline_that_cannot_be_written_is_refused_first(
    page: str, reason: str, result: dict[str, Path], tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, an encode overwrites a film, or ends without its page after all the work."""
    (tmp_path / "folder.html").mkdir()
    output = tmp_path / "b.webm"
    arguments = ["encode", str(result["source"]), str(output), "--timeline", str(tmp_path / page)]
    assert main(arguments) == 2
    assert reason in capfd.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("kind", ["webm", "ivf"])
def test_decode_prints_a_digest_for_every_frame(
    kind: str, result: dict[str, Path], capfd: Capture
) -> None:
    """If this fails, results cannot be compared with other decoders' MD5 files."""
    assert main(["decode", str(result[kind]), "--md5"]) == 0
    lines = capfd.readouterr().out.splitlines()
    expected = [hashlib.md5(picture).hexdigest() for picture in decode_ours(result[kind])]
    assert lines == [f"{digest}  {n:04d}" for n, digest in enumerate(expected, start=1)]


def test_decode_writes_a_y4m_that_others_read(result: dict[str, Path], tmp_path: Path) -> None:
    """If this fails, decoded frames cannot be handed to other tools."""
    output = tmp_path / "a.y4m"
    assert main(["decode", str(result["webm"]), "-o", str(output)]) == 0
    with av.open(str(output)) as container:
        assert container.streams.video[0].average_rate == 25
        assert [i420(f) for f in container.decode(video=0)] == decode_ours(result["webm"])
    assert list(tmp_path.iterdir()) == [output]


def test_decode_writes_into_a_pipe(result: dict[str, Path], tmp_path: Path) -> None:
    """If this fails, a pipe or a device that is named as output is replaced by a file."""
    pipe = tmp_path / "pipe.y4m"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert main(["decode", str(result["webm"]), "-o", str(pipe)]) == 0
    reader.join()
    assert pipe.is_fifo()
    assert read[0].count(b"FRAME\n") == 10


@pytest.mark.skipif(not VECTORS, reason="the standard VP8 streams are not on this machine")
def test_decode_agrees_with_a_standard_stream(capfd: Capture) -> None:
    """If this fails, the command (not the codec) loses or renumbers frames."""
    stream = VECTORS[2]
    assert main(["decode", str(stream), "--md5"]) == 0
    ours = [line.split()[0] for line in capfd.readouterr().out.splitlines()]
    theirs = stream.with_name(stream.name + ".md5").read_text().splitlines()
    assert ours == [line.split()[0] for line in theirs]


def test_compare_reports_each_plane_and_frame(result: dict[str, Path], capfd: Capture) -> None:
    """If this fails, quality cannot be read by people or by programs."""
    arguments = ["compare", str(result["source"]), str(result["webm"])]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["frame_count"] == len(report["frames"]) == 10
    assert set(report["mean"]) == {"y", "u", "v", "all"}
    assert 25 < report["mean"]["y"]["psnr_db"] < 60
    assert main([*arguments, "--frames"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:10]] == [["frame", str(n)] for n in range(10)]
    shown = dict(re.findall(r"^(y|u|v|all) +([\d.]+)", "\n".join(lines[10:]), re.MULTILINE))
    assert float(shown["all"]) == pytest.approx(report["mean"]["all"]["psnr_db"], abs=1e-4)


def test_a_video_equals_itself(result: dict[str, Path], capfd: Capture) -> None:
    """If this fails, comparing adds differences of its own."""
    assert main(["compare", str(result["webm"]), str(result["ivf"]), "--json"]) == 0
    mean = json.loads(capfd.readouterr().out)["mean"]
    assert mean["all"] == {"psnr_db": None, "ssim": 1.0, "ssim_db": None}


def test_standard_input_is_a_source(tmp_path: Path) -> None:
    """If this fails, `producer | excamera encode -` does not work."""
    source = Clip(frames=8, encoder="wrapped_avframe", options={}).write(tmp_path / "a.y4m")
    code = "import sys; from excamera.cli import main; sys.exit(main())"
    with source.open("rb") as stdin:
        subprocess.run(
            [sys.executable, "-c", code, "encode", "-", str(tmp_path / "a.webm")],
            cwd=ROOT, stdin=stdin, check=True, capture_output=True,
        )  # fmt: skip
    assert sum(map(codec.is_shown, read_file(tmp_path / "a.webm").frames)) == 8


def test_the_sample_is_a_moving_clip_with_sound(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, `make encode` without INPUT has nothing worth encoding."""
    path = tmp_path / "sample.mp4"
    assert main(["sample", str(path), "--seconds", "0.5"]) == 0
    with av.open(str(path)) as container:
        pictures = [i420(frame) for frame in container.decode(video=0)]
        assert len(pictures) == len(set(pictures)) == 12
        assert len(container.streams.audio) == 1
    assert main(["sample", str(path)]) == 2
    assert "exists already" in capfd.readouterr().err
