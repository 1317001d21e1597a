"""`import excamera`: what programs use."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, assert_type, get_type_hints

import pytest

import excamera
from excamera import errors, library
from excamera.cli.main import main
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from tests.pipeline.clips import Clip
from tests.support.pages import code_block
from tests.support.shared import ROOT


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short film."""
    return Clip(frames=24).write(tmp_path_factory.mktemp("library") / "film.mp4")


def test_the_import_alone_loads_nothing() -> None:
    """If this fails, every function of a stack begins later, for what it never does."""
    code = (
        "import sys; before = set(sys.modules); import excamera; "
        "print(sorted(m for m in set(sys.modules) - before if m.split('.')[0] not in "
        "sys.stdlib_module_names)); import excamera.errors; dir(excamera); "
        "print([m for m in ('av', 'numpy', 'codec', 'mu', 'excamera.library') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=ROOT)  # fmt: skip
    assert done.stdout == "['excamera']\n[]\n"


def test_names_are_those_of_the_library_and_typed() -> None:
    """If this fails, an editor does not know what there is, or a name leads nowhere."""
    assert excamera.__all__ == library.__all__
    assert set(excamera.__all__) <= set(dir(excamera))
    for name in excamera.__all__:
        assert getattr(excamera, name) is getattr(library, name)
    with pytest.raises(AttributeError, match="no attribute 'enkode'"):
        _ = excamera.enkode  # type: ignore[attr-defined]
    for function in (excamera.encode, excamera.info, excamera.compare):
        hints = get_type_hints(function)
        assert {*inspect.signature(function).parameters, "return"} == set(hints)
    assert (ROOT / "excamera" / "py.typed").is_file()


def test_the_example_of_the_page_runs(film: Path) -> None:
    """If this fails, the first thing that a user copies does not work."""
    page = (ROOT / "docs" / "python.md").read_text()
    done = subprocess.run(
        [sys.executable, "-c", code_block(page, "python")],
        cwd=film.parent, capture_output=True, text=True, check=False, timeout=120,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    size = (film.parent / "film.webm").stat().st_size
    assert lines[0] == "reading the source: 0 of 0 frames"
    assert "encoding: 24 of 24 frames" in lines
    assert f"film.webm: {size} bytes, 1 key frames" in lines
    assert "vp8, 96x64" in lines
    assert lines[-1].startswith("PSNR ")


def test_an_encode_is_that_of_the_command(film: Path, tmp_path: Path) -> None:
    """If this fails, a program gets another film than the command line, or hears nothing of it."""
    told: list[excamera.Progress] = []
    given: dict[str, Any] = {"fps": 12, "start": 0.2, "crf": 50}
    output = tmp_path / "a.webm"
    result = excamera.encode(film, output, workers=1, progress=told.append, **given)
    assert_type(result, excamera.EncodeResult)
    expected = tmp_path / "b.webm"
    words = ["--fps", "12", "--start", "0.2", "--crf", "50", str(film), str(expected)]
    assert main(["encode", "-q", *words]) == 0
    assert output.read_bytes() == expected.read_bytes()
    assert (result.path, result.size) == (output, output.stat().st_size)
    last = told[-1]
    assert last.frames_done == last.frames == result.frames
    assert last.batches_done == last.batches == result.key_frames
    done = [one.frames_done for one in told]
    assert done == sorted(done)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.webm", "b.webm"]


def test_other_codecs_and_presets_go_by_the_apis_names(film: Path, tmp_path: Path) -> None:
    """If this fails, a program cannot choose what the API can."""
    excamera.encode(film, str(tmp_path / "a.mp4"), preset="preview", h264_preset="ultrafast")
    options = EncodeOptions().with_values({"preset": "preview", "h264_preset": "ultrafast"})
    encode_file(str(film), tmp_path / "b.mp4", options)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    found = excamera.info(tmp_path / "a.mp4", frames=True)
    assert_type(found, excamera.FileInfo)
    assert found.streams[0].codec == "h264"
    assert len(found.frames) == 24
    same = excamera.compare(film, film)
    assert same.mean["all"].ssim == 1
    assert math.isinf(same.mean["all"].psnr_db)
    assert len(same.frames) == 24


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"quality": 3}, "there is no option 'quality'; there are preset, codec"),
        ({"chunk-frames": 3}, "there is no option 'chunk-frames'"),
        ({"crf": 99}, "crf must be 0 to 63, not 99"),
        ({"crf": 30.0}, "crf must be a whole number, not 30.0"),
        ({"effort": None}, "effort must be a whole number, not None"),
        ({"fps": True}, "fps must be a number"),
        ({"strict": "true"}, "strict must be true or false, not 'true'"),
        ({"container": "mkv"}, "container is for the cloud"),
        ({"preset": "web"}, "preset must be one of web-1080p"),
        ({"workers": 0}, "workers must be at least 1, not 0"),
    ],
)
def test_wrong_options_raise(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    """If this fails, a misspelt option is ignored, or ends the program."""
    with pytest.raises(excamera.OptionError, match=words):
        excamera.encode(tmp_path / "no.mp4", tmp_path / "a.webm", **given)


def test_errors_are_those_of_the_command(film: Path, tmp_path: Path) -> None:
    """If this fails, a program cannot tell what went wrong, or ends."""
    with pytest.raises(errors.NoSuchInput, match="no such file"):
        excamera.encode(tmp_path / "no.mp4", tmp_path / "a.webm")
    with pytest.raises(errors.NoSuchInput):
        excamera.info(tmp_path / "no.mp4")
    with pytest.raises(errors.NoSuchInput):
        excamera.compare(film, tmp_path / "no.mp4")
    (tmp_path / "there.webm").write_bytes(b"")
    with pytest.raises(errors.OutputExists):
        excamera.encode(film, tmp_path / "there.webm")
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(excamera.ExCameraError) as raised:
        excamera.encode(tmp_path / "text.mp4", tmp_path / "a.webm")
    assert isinstance(raised.value, errors.NotAVideo)


def test_what_the_callback_raises_ends_the_encode(film: Path, tmp_path: Path) -> None:
    """If this fails, a program cannot stop an encode, or loses its own exception."""

    def stop(progress: excamera.Progress) -> None:
        if progress.frames_done:
            raise KeyError(progress.phase)

    with pytest.raises(KeyError, match="encoding"):
        excamera.encode(film, tmp_path / "a.webm", progress=stop)
    assert [*tmp_path.iterdir()] == []
