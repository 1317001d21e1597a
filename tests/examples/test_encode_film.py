"""The program that encodes a film makes what `excamera encode` makes, and tells how."""

from __future__ import annotations

from pathlib import Path

from examples.encode_film import COLUMNS, chart, outline
from excamera.cli import main as excamera
from excamera.job.flow import FUNCTIONS, excamera_flow
from excamera.media.container.output import ENDINGS
from mu import TaskRecord
from tests.pipeline.clips import Clip, check_plays_alike, write_sound_only
from tests.support.examples import lines_of, refusal, run_example


def test_the_outline_names_every_task_of_the_flow() -> None:
    """If this fails, the program hides steps of the flow."""
    lines = list(outline(excamera_flow()))
    assert {line.strip() for line in lines if ":" not in line} == set(FUNCTIONS)
    assert lines[0] == "excamera: one after the other"
    assert lines[lines.index("      shares: for each of $.shares, at the same time") + 1] == (
        "        encode"
    )


def test_bars_lie_where_tasks_ran() -> None:
    """If this fails, the chart shows tasks at wrong times, or breaks for very short ones."""
    records = [
        TaskRecord("encode", 1, {"batch": 3, "share": 2}, started=109, finished=110),
        TaskRecord("encode", 0, {"batch": 3, "share": 1}, started=100, finished=105),
        TaskRecord("stitch", 0, {}, started=110, finished=110),
    ]
    first, second, third = chart(records)
    half = COLUMNS // 2
    assert first == f"encode       3/1 |{'#' * half}{' ' * half}|   5.00 s"
    assert second.startswith("encode       3/2 |")
    assert second.partition("|")[2].partition("|")[0] == " " * 54 + "#" * 6
    assert third.endswith(" #|   0.00 s")
    assert len({len(line) for line in (first, second, third)}) == 1
    assert next(chart(records[2:])).count("#") == 1


def test_the_program_makes_what_the_command_makes(tmp_path: Path) -> None:
    """If this fails, the library encodes otherwise than the command does."""
    Clip(frames=20, sound="aac").write(tmp_path / "film.mp4")
    done = run_example(
        "encode_film", "film.mp4", "a.webm", "-n", "5", "-x", "2", "--crf", "30", inside=tmp_path
    )
    lines = lines_of(done)
    assert lines[-1] == "FFmpeg decodes every frame, at its time"
    assert lines[-2].startswith("20 frames, 2 key frames, ")
    tasks = [line.partition("|")[0].split() for line in lines if "|" in line]
    assert tasks[0] == ["index"]
    assert tasks[-1] == ["stitch"]
    assert sorted(name for name in tasks if name[0] == "encode") == [
        ["encode", "0/0"], ["encode", "1/0"],
    ]  # fmt: skip
    same = ["encode", f"{tmp_path}/film.mp4", f"{tmp_path}/b.webm", "-n", "5", "-x", "2"]
    assert excamera([*same, "--crf", "30"]) == 0
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()
    check_plays_alike(tmp_path / "a.webm")


def test_mistakes_are_named(tmp_path: Path) -> None:
    """If this fails, a file that is no film ends in a traceback."""
    write_sound_only(tmp_path / "sound.mp4")
    for source, output, expected in (
        ("none.mp4", "a.webm", "none.mp4: no such file"),
        ("sound.mp4", "a.webm", "sound.mp4: no video stream"),
        ("sound.mp4", "a.avi", f"a.avi: the output must end in {ENDINGS}"),
        ("sound.mp4", "sound.mp4", "sound.mp4: is the input itself"),
    ):
        done = run_example("encode_film", source, output, inside=tmp_path)
        assert refusal(done) == f"encode_film: {expected}"
