"""Targets in place of a crf: rates, sizes and qualities of whole encodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from excamera.cli import main
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.compare import compare_files
from excamera.media.quality import ssim_db, summarise
from mu import DirectoryStore
from tests.pipeline.clips import Clip
from tests.support.scenes import film, pan, still, zoom


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three scenes, of which one is much easier than the others."""
    folder = tmp_path_factory.mktemp("targets")
    return film(folder / "film.mkv", [*pan(1, 40), *still(2, 30), *zoom(3, 30)])


def last_line(text: str) -> str:
    """The summary."""
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--bitrate", "100"], 100.0),
        (["--bitrate", "120", "--codec", "h264", "--h264-preset", "veryfast"], 120.0),
        (
            [
                "--bitrate",
                "90k",
                "--mode",
                "rebase",
                "--deadline",
                "realtime",
                "-n",
                "6",
                "-x",
                "2",
            ],
            90.0,
        ),
    ],
    ids=["anchors", "h264", "rebase"],
)
def test_a_rate_is_met(
    source: Path, tmp_path: Path, given: list[str], wanted: float,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """If this fails, films miss their bitrate by more than 3%, or the summary does not say it."""
    output = tmp_path / "out.mkv"
    assert main(["encode", str(source), str(output), "--progress", "none", *given]) == 0
    told = last_line(capsys.readouterr().out)
    reached = float(told.partition("; bitrate ")[2].split()[0].replace(",", ""))
    assert reached == pytest.approx(wanted, rel=0.03), told
    # What the container adds to 100 frames, and its header.
    bits = 8 * (output.stat().st_size - 100 * 8 - 900)
    assert bits / 4.0 / 1000 == pytest.approx(reached, rel=0.05)


@pytest.mark.parametrize(("ending", "size"), [("webm", 75_000), ("mp4", 40_000), ("ivf", 15_000)])
def test_a_size_is_that_of_the_whole_file(
    tmp_path: Path, ending: str, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, --size forgets the sound, or what the container takes."""
    source = Clip(frames=60, sound="aac").write(tmp_path / "a.mkv")
    output = tmp_path / f"out.{ending}"
    options = EncodeOptions(size=str(size), chunk_frames=6, batch_chunks=2)
    if ending == "mp4":
        options = EncodeOptions(codec="h264", size=str(size), chunk_frames=12)
    result = encode_file(str(source), output, options, workers=2)
    assert result.reached is not None
    assert result.reached.reached == output.stat().st_size
    assert output.stat().st_size == pytest.approx(size, rel=0.02)
    assert not any("missed" in note for note in result.notes)
    small = ["--size", "1k", "--progress", "none", "--overwrite"]
    if ending == "webm":
        assert main(["encode", str(source), str(output), *small]) == 2
        assert "sound and container alone take" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        EncodeOptions(target_ssim="14"),
        EncodeOptions(target_psnr="35", codec="vp9", plain=EncodeOptions().plain),
    ],
    ids=["ssim", "psnr"],
)
def test_a_quality_is_met(source: Path, tmp_path: Path, options: EncodeOptions) -> None:
    """If this fails, `excamera compare` finds another quality than was asked for."""
    output = tmp_path / "out.webm"
    result = encode_file(str(source), output, options)
    luma = summarise(list(compare_files(str(source), str(output))))["y"]
    found = ssim_db(luma.ssim) if options.target_ssim else luma.psnr_db
    assert options.target is not None
    assert result.reached is not None
    assert found == pytest.approx(options.target.wanted, abs=0.3)
    assert result.reached.reached == pytest.approx(found, abs=0.1)
    assert result.reached.by == "samples"


def test_a_target_that_cannot_be_met_is_told(source: Path, tmp_path: Path) -> None:
    """If this fails, a film that has missed its target looks as if it had met it."""
    options = EncodeOptions(bitrate="40M", anchors=EncodeOptions(crf=3).anchors)
    result = encode_file(str(source), tmp_path / "out.ivf", options)
    assert result.reached is not None
    assert not result.reached.is_met
    [note] = result.notes
    assert "the target was missed" in note
    assert "crf 0 is the best there is" in note


def test_bytes_depend_neither_on_workers_nor_on_interruptions(source: Path, tmp_path: Path) -> None:
    """If this fails, a job with a target that goes on later gives another result."""
    options = EncodeOptions(bitrate="200", chunk_frames=6, batch_chunks=4)
    kept = tmp_path / "job"
    one, other = tmp_path / "one.webm", tmp_path / "two.webm"
    encode_file(str(source), one, options, workers=1, keep_job=kept)
    before = {
        key: DirectoryStore(kept).path(key).stat().st_mtime_ns
        for key in DirectoryStore(kept).list("jobs/")
        if "/probes/" in key
    }
    assert before
    for key in DirectoryStore(kept).list("jobs/"):
        if "/batches/" in key or key.endswith("aim.json"):
            DirectoryStore(kept).path(key).unlink()
    encode_file(str(source), one, options, workers=2, keep_job=kept, overwrite=True)
    after = {key: DirectoryStore(kept).path(key).stat().st_mtime_ns for key in before}
    assert after == before
    encode_file(str(source), other, options, workers=2)
    assert one.read_bytes() == other.read_bytes()
