"""Everything that can be wrong is said in one line, with exit code 2, and leaves nothing."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from excamera.cli import main
from excamera.media.container import ivf
from excamera.media.container.output import ENDINGS
from tests.pipeline.clips import Clip, decode_with, write_sound_only


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short clip that can be encoded."""
    return Clip(frames=30).write(tmp_path_factory.mktemp("clip") / "clip.mp4")


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command, check for exit code 2 and one line of output, and return that line."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capfd.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("excamera: ")]
    assert len(lines) == 1, captured.err
    assert captured.err.splitlines()[-1] == lines[0], captured.err
    return lines[0]


def refused_source(capfd: pytest.CaptureFixture[str], source: Path) -> str:
    """Encode a source that must be refused without a trace, and return the message."""
    folder = source.parent / "out"
    folder.mkdir(exist_ok=True)
    line = refused(capfd, "encode", source, folder / "out.webm")
    assert list(folder.iterdir()) == []
    assert source.name in line
    return line


Capture = pytest.CaptureFixture[str]


def test_no_such_file(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a mistyped name ends in a traceback."""
    assert "no such file" in refused_source(capfd, tmp_path / "none.mp4")


def test_a_directory(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a folder instead of a film ends in a traceback."""
    (tmp_path / "folder").mkdir()
    assert "is a directory" in refused_source(capfd, tmp_path / "folder")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n" * 100, bytes(range(256)) * 400, b"\0" * 5000],
    ids=["empty", "text", "bytes", "zeros"],
)
@pytest.mark.parametrize("name", ["film.mp4", "film.txt"])
def test_not_a_video(content: bytes, name: str, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a file that is no video is answered with "unknown error"."""
    (tmp_path / name).write_bytes(content)
    line = refused_source(capfd, tmp_path / name)
    assert "not a video" in line or "no video stream" in line


def test_no_video_stream(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a sound file is not told apart from a damaged film."""
    path = write_sound_only(tmp_path / "sound.m4a")
    assert "no video stream" in refused_source(capfd, path)


def test_an_unknown_codec(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a codec without a decoder ends in a traceback."""
    good = ivf.header(16, 16, Fraction(1, 25), 1) + ivf.frames([(0, b"\0" * 50)])
    (tmp_path / "odd.ivf").write_bytes(good.replace(b"VP80", b"ZZZZ"))
    assert "no decoder" in refused_source(capfd, tmp_path / "odd.ivf")


def test_zero_frames(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, an empty video makes an empty result or a traceback."""
    (tmp_path / "empty.ivf").write_bytes(ivf.header(16, 16, Fraction(1, 25), 0))
    assert "no frames" in refused_source(capfd, tmp_path / "empty.ivf")
    (tmp_path / "empty.y4m").write_bytes(b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\n")
    assert "no frames" in refused_source(capfd, tmp_path / "empty.y4m")


@pytest.mark.parametrize(
    ("name", "encoder", "container"),
    [
        ("fast.mp4", "libx264", {"movflags": "faststart"}),
        ("x.mkv", "libx264", {}),
        ("x.webm", "libvpx", {}),
        ("x.y4m", "wrapped_avframe", {}),
        ("x.avi", "mjpeg", {}),
    ],
)
def test_a_truncated_source_says_how_many_frames_there_were(
    name: str, encoder: str, container: dict[str, str], tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, half a film is encoded as if it were whole."""
    options = {"libx264": {"crf": "10", "bf": "0"}}.get(encoder, {})
    source = Clip(frames=30, encoder=encoder, options=options, container_options=container,
                  pix_fmt="yuvj420p" if encoder == "mjpeg" else "yuv420p")  # fmt: skip
    whole = source.write(tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) * 6 // 10])
    line = refused_source(capfd, tmp_path / name)
    assert "truncated" in line
    count = int(line.split("; ")[1].split(" frame")[0])
    assert 5 < count < 28, line


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_raw_stream_cut_within_a_frame(b_frames: str, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a damaged last frame of a raw stream is encoded as if it were whole."""
    options = {"crf": "10", "bf": b_frames}
    source = Clip(frames=30, options=options).write(tmp_path / "a.264", "h264")
    whole = source.read_bytes()
    last = whole.rindex(b"\0\0\1", 0, len(whole) * 7 // 10)
    source.write_bytes(whole[: last + 60])
    line = refused_source(capfd, source)
    assert "truncated" in line
    assert 10 < int(line.split("; ")[1].split(" frame")[0]) < 29, line


@pytest.mark.parametrize("keep", [0.5, 0.97])
def test_an_mp4_cut_before_its_index(
    clip: Path, keep: float, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a half-copied file (the commonest damage) is not recognised."""
    whole = clip.read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: int(len(whole) * keep)])
    line = refused_source(capfd, tmp_path / "half.mp4")
    assert "truncated" in line
    assert "0 frames could be read" in line


def test_sizes_that_vp8_cannot_hold(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a huge picture is cropped, or the encoder crashes on it."""
    for width, height in ((16384, 16), (16, 16384)):
        clip = Clip(frames=1, width=width, height=height, encoder="ffv1", options={})
        source = clip.write(tmp_path / f"{width}.mkv")
        assert "16383" in refused_source(capfd, source)


def test_the_largest_width_is_not_refused(tmp_path: Path) -> None:
    """If this fails, the limit is off by one."""
    clip = Clip(frames=2, width=16383, height=2, encoder="ffv1", options={})
    source = clip.write(tmp_path / "wide.mkv")
    assert main(["encode", str(source), str(tmp_path / "wide.webm")]) == 0
    assert len(decode_with(tmp_path / "wide.webm", "vp8")) == 2


def test_outputs_that_cannot_be(clip: Path, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, minutes of work end in an output that cannot be written."""
    taken = tmp_path / "taken.webm"
    taken.write_bytes(b"precious")
    (tmp_path / "folder.webm").mkdir()
    copy = tmp_path / "same.webm"
    shutil.copy(clip, copy)
    for output, message in (
        (tmp_path / "no" / "out.webm", "no folder"),
        (taken, "exists already"),
        (tmp_path / "folder.webm", "is a directory"),
        (tmp_path / "out.avi", f"must end in {ENDINGS}"),
        (tmp_path / "out", f"must end in {ENDINGS}"),
    ):
        assert message in refused(capfd, "encode", clip, output)
    assert "is the input itself" in refused(capfd, "encode", copy, copy, "--overwrite")
    assert taken.read_bytes() == b"precious"
    assert copy.read_bytes() == clip.read_bytes()
    assert main(["encode", str(clip), str(taken), "--overwrite"]) == 0
    assert len(decode_with(taken, "vp8")) == 30


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--chunk-frames", "-1"), ("--chunk-frames", "1001"), ("--batch-chunks", "0"),
        ("--crf", "64"), ("--crf", "-1"), ("--crf", "good"), ("--workers", "0"),
        ("--cpu-used", "17"), ("--deadline", "soon"), ("--no-such-option", "1"),
    ],
)  # fmt: skip
def test_options_out_of_range(
    option: str, value: str, clip: Path, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a wrong option is taken, or answered with a page of usage."""
    line = refused(capfd, "encode", clip, tmp_path / "out.webm", option, value)
    assert option.lstrip("-") in line
    assert list(tmp_path.iterdir()) == []


def test_comparisons_that_cannot_be(clip: Path, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, frames are compared with the wrong frames."""
    shorter = Clip(frames=29).write(tmp_path / "shorter.mp4")
    larger = Clip(frames=30, width=98).write(tmp_path / "larger.mp4")
    line = refused(capfd, "compare", clip, shorter)
    assert "has 30 frames" in line
    assert "has 29" in line
    line = refused(capfd, "compare", shorter, clip)
    assert "has 29 frames" in line
    line = refused(capfd, "compare", clip, larger)
    assert "96x64" in line
    assert "98x64" in line
    assert "no such file" in refused(capfd, "compare", clip, tmp_path / "none.webm")


def test_files_that_cannot_be_decoded(clip: Path, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, `excamera decode` crashes on damaged or foreign files."""
    assert "no such file" in refused(capfd, "decode", tmp_path / "none.ivf")
    assert "is a directory" in refused(capfd, "decode", tmp_path)
    assert "neither IVF nor WebM" in refused(capfd, "decode", clip)
    good = tmp_path / "good.ivf"
    assert main(["encode", "--mode", "rebase", str(clip), str(good)]) == 0  # no hidden frames
    capfd.readouterr()
    bad = tmp_path / "bad.ivf"
    bad.write_bytes(good.read_bytes()[:-1])
    assert "ends within frame 30" in refused(capfd, "decode", bad)
    bad.write_bytes(good.read_bytes()[:44] + b"\xff" * 50 + good.read_bytes()[94:])
    assert "frame 1 of 30" in refused(capfd, "decode", bad)
    line = refused(capfd, "decode", good, "-o", tmp_path / "no" / "out.y4m")
    assert "no folder" in line


def test_y4m_cannot_hold_two_sizes(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a stream that changes its size makes a broken y4m file."""
    frames = []
    for number, width in enumerate((96, 64)):
        source = Clip(frames=1, width=width).write(tmp_path / f"{width}.mp4")
        assert main(["encode", str(source), str(tmp_path / f"{width}.ivf")]) == 0
        frames.append((number, ivf.parse((tmp_path / f"{width}.ivf").read_bytes()).frames[0].data))
    both = tmp_path / "both.ivf"
    both.write_bytes(ivf.header(96, 64, Fraction(1, 25), 2) + ivf.frames(frames))
    capfd.readouterr()
    output = tmp_path / "both.y4m"
    assert "64x64 after 96x64" in refused(capfd, "decode", both, "-o", output)
    assert not output.exists()
    assert main(["decode", str(both), "--md5"]) == 0
