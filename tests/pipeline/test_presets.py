"""An encode with a preset is the encode with its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from excamera.cli.main import main
from excamera.job.objects import Job
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.job.presets import PRESETS
from excamera.work import JOB
from mu import DirectoryStore
from tests.pipeline.clips import Clip


def encoded(source: Path, folder: Path, *words: str) -> tuple[Plan, bytes]:
    """The plan and the result of an encode by the command line."""
    folder.mkdir()
    result = folder / "a.mp4"
    given = ["encode", *words, "--keep-job", str(folder / "job"), "-q", str(source), str(result)]
    assert main(given) == 0
    return Job.load(DirectoryStore(folder / "job"), JOB).plan, result.read_bytes()


def test_a_plan_has_the_options_of_a_preset(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a preset encodes something else than its options, or enlarges a film."""
    source = Clip(frames=6).write(tmp_path / "source.mp4")
    plan, data = encoded(source, tmp_path / "preset", "--preset", "preview", "--crf", "40")
    by_hand = ["--codec", "h264", "--h264-preset", "veryfast", "--scale", "360p", "--tonemap"]
    same_plan, same_data = encoded(source, tmp_path / "options", *by_hand, "--crf", "40")
    assert plan.options == EncodeOptions().with_values({**PRESETS["preview"].options, "crf": 40})
    assert plan.digest == same_plan.digest
    assert data == same_data
    assert plan.geometry.size is None
    assert main(["encode", "--preset", "fast", str(source), str(tmp_path / "a.webm")]) == 2
    assert "a .webm file does not hold h264: name the output .mp4 or .mkv" in capfd.readouterr().err
