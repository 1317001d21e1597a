"""What the display of an encode knows, and how programs are told."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from excamera.cli import main
from excamera.cli.decisions import of_plan, of_sound
from excamera.cli.progress import JsonProgress, LineProgress, Progress
from excamera.cli.rich_progress import RichProgress, merged
from excamera.job.options import EncodeOptions
from excamera.progress import Cell
from mu import TaskRecord
from tests.pipeline.clips import Clip
from tests.support.shared import ROOT

Capture = pytest.CaptureFixture[str]


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


PLAN = {"frames": 1000, "chunks": 100, "batches": 10, "duration_s": 40.0}


def planned(progress: Progress) -> Progress:
    """A display that has heard of a plan of ten batches of 100 frames, 4 s each."""
    progress.started(TaskRecord("index", 0, {}, 0.0))
    progress.finished(TaskRecord("plan", 0, {}, 0.0, result=PLAN))
    return progress


def begin(progress: Progress, batch: int, attempts: int = 1) -> None:
    """A batch begins."""
    event = {"batch": batch, "share": 0, "of": 1}
    progress.started(TaskRecord("encode", batch, event, 0.0, attempts=attempts))


def end(progress: Progress, batch: int, size: int = 1000, again: bool = False) -> None:
    """A batch ends."""
    event = {"batch": batch, "share": 0, "of": 1}
    result = {"frames": 100, "bytes": size, "again": again}
    progress.finished(TaskRecord("encode", batch, event, 0.0, result=result))


def test_the_speed_is_that_of_the_last_seconds() -> None:
    """If this fails, the time left is that of easy scenes long past."""
    clock = Clock()
    progress = planned(Progress(clock))
    begin(progress, 0)
    assert (progress.fps, progress.left_s) == (0.0, None)
    for batch in range(4):
        clock.now += 2
        end(progress, batch)
    assert progress.fps == pytest.approx(50)
    for batch in (4, 5):
        clock.now += 10
        end(progress, batch)
    assert progress.fps == pytest.approx(10)
    assert progress.left_s == pytest.approx(40)


def test_what_an_earlier_run_has_done_says_nothing_of_the_speed() -> None:
    """If this fails, an encode that goes on promises to end in a moment."""
    clock = Clock()
    progress = planned(Progress(clock))
    begin(progress, 0)
    for batch in range(5):
        end(progress, batch, again=True)
    assert progress.frames_done == 500
    assert progress.left_s is None
    clock.now += 4
    begin(progress, 5)
    end(progress, 5)
    assert progress.fps == pytest.approx(25)
    assert progress.left_s == pytest.approx(16)


def test_the_rate_so_far_is_that_of_finished_batches() -> None:
    """If this fails, a user stops a good encode because of a rate that is not its own."""
    progress = planned(Progress(Clock()))
    assert (progress.bytes, progress.kbit_s) == (0, None)
    end(progress, 0, size=50_000)
    end(progress, 1, size=150_000)
    assert progress.bytes == 200_000
    assert progress.kbit_s == pytest.approx(200_000 * 8 / 1000 / 8)


def test_the_state_of_each_batch_is_known() -> None:
    """If this fails, the grid shows another state than a batch has."""
    progress = planned(Progress(Clock()))
    begin(progress, 0)
    begin(progress, 1)
    begin(progress, 1, attempts=2)
    end(progress, 0)
    states = [Cell.DONE, Cell.RETRIED, *[Cell.WAITING] * 8]
    assert progress.batches == states
    assert progress.retries == 1
    # As a stack tells it.
    progress.message("encode", {"batch": 0, "share": 0, "frames": 300, "batches_done": 3})
    assert progress.count(Cell.DONE) == 3


def test_many_batches_share_cells() -> None:
    """If this fails, the grid of a long film fills the screen, or hides that something runs."""
    cells = [*[Cell.DONE] * 500, Cell.RUNNING, *[Cell.WAITING] * 498, Cell.RETRIED]
    shown = merged(cells, 100)
    assert len(shown) == 100
    expected = [*[Cell.DONE] * 50, Cell.RUNNING, *[Cell.WAITING] * 48, Cell.RETRIED]
    assert shown == expected
    assert merged(cells[:5], 100) == cells[:5]
    assert merged([], 100) == []
    assert merged(cells, 7)[0] is Cell.DONE


def test_a_display_that_nobody_sees_stops_nothing() -> None:
    """If this fails, a terminal that goes away ends the encode."""
    out = io.StringIO()
    progress = planned(RichProgress(out))
    begin(progress, 0)
    end(progress, 0)
    progress.say("a line with [brackets] that are no markup")
    progress.close()
    progress.close()
    assert "a line with [brackets] that are no markup" in out.getvalue()


def test_a_short_phase_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a phase is left out that is over before the display moves by itself."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("excamera.cli.rich_progress._REFRESH_HZ", 0.001)
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    progress = planned(RichProgress(out))
    begin(progress, 0)
    progress.started(TaskRecord("stitch", 0, {}, 0.0))
    progress.close()
    seen = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()))
    assert "reading the source, encoding" in seen
    assert "reading the source, encoding, stitching" in seen


def test_programs_get_an_object_a_line() -> None:
    """If this fails, a program that shows progress cannot read it."""
    clock, out = Clock(), io.StringIO()
    progress = planned(JsonProgress(out, clock=clock))
    begin(progress, 0)
    clock.now += 2
    progress.message("encode", {"batch": 0, "share": 0, "frames": 50})
    progress.message("encode", {"batch": 0, "share": 0, "frames": 60})  # too soon to be told
    end(progress, 0, size=50_000)
    progress.note("interlaced")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "phase", "plan", "phase", "progress", "progress", "note",
    ]  # fmt: skip
    assert lines[1] == {"event": "plan", **PLAN}
    assert lines[4] == {
        "event": "progress", "frames_done": 100, "frames": 1000, "batches_done": 1,
        "batches_running": 0, "batches": 10, "retries": 0, "fps": 50.0, "seconds_left": 18.0,
        "bytes": 50_000, "kbit_s": 100.0,
    }  # fmt: skip
    assert lines[5] == {"event": "note", "text": "interlaced"}
    page = (ROOT / "docs" / "cli.md").read_text()
    for line in lines:
        for name in line:
            assert f"`{name}`" in page, f"docs/cli.md does not describe {name}"


def test_json_is_all_that_is_written_while_an_encode_runs(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a program meets a line that is no JSON."""
    clip = Clip(frames=8).write(tmp_path / "a.mp4")
    given = ["encode", str(clip), str(tmp_path / "a.webm"), "--progress", "json", "-v"]
    assert main(given) == 0
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert {"phase", "plan", "message", "progress"} <= {line["event"] for line in lines}
    assert lines[-1] == {"event": "phase", "phase": "stitching"}


def test_quiet_says_nothing_and_errors_are_told(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a nightly job fills a mailbox, or hides why it failed."""
    clip = Clip(frames=4).write(tmp_path / "a.mp4")
    assert main(["encode", "-q", str(clip), str(tmp_path / "a.webm")]) == 0
    assert capfd.readouterr() == ("", "")
    assert main(["encode", "-q", str(clip), str(tmp_path / "a.webm")]) == 2
    assert capfd.readouterr().err.startswith("excamera: ")
    assert main(["encode", "-q", "-v", str(clip), str(tmp_path / "b.webm")]) == 2


def test_no_progress_still_tells_what_stays(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, `--progress none` is the same as `--quiet`."""
    clip = Clip(frames=4).write(tmp_path / "a.mp4")
    given = ["encode", str(clip), str(tmp_path / "a.webm"), "--progress", "none", "-v"]
    assert main(given) == 0
    told = capfd.readouterr()
    assert "frames" in told.out
    names = [line.partition(":")[0] for line in told.err.splitlines()]
    assert sorted(names) == ["batches", "mode", "scenes", "sound", "source", "threads"]


def explained(options: EncodeOptions, **more: Any) -> str:
    """What is said of a plan."""
    plan = {
        **PLAN, "width": 64, "height": 48, "spans": 0, "anchored": 10, "threads": 1,
        "indexed_by": "packets", "options": options.to_json(), **more,
    }  # fmt: skip
    return "\n".join(of_plan(plan))


def test_decisions_are_explained() -> None:
    """If this fails, `-v` says something else than was decided."""
    usual = explained(EncodeOptions())
    assert "looked for while the source was read" in usual
    assert "10 batches of at most 192 frames, which end where scenes do: 100 chunks" in usual
    assert "N chosen for each" in usual
    assert "anchors, auto has chosen" in usual
    assert "2 spans at once" in explained(EncodeOptions(), spans=2)
    assert "decoded once" in explained(EncodeOptions(), indexed_by="decoding")
    assert "few batches" in explained(EncodeOptions(), threads=4)
    fixed = explained(EncodeOptions(chunk_frames=8, mode="rebase"), anchored=0)
    assert "not looked for, as --chunk-frames gives N" in fixed
    assert "16 chunks of 8 frames" in fixed
    assert "rebase, as given" in fixed
    assert "anchors for 4 of 10" in explained(EncodeOptions(), anchored=4)
    plain = explained(EncodeOptions(codec="vp9"), anchored=0)
    assert "100 plain chunks of at most 240 frames, which end where scenes do" in plain
    assert "plain: each chunk has a key frame of its own, as vp9 is given" in plain
    assert list(of_plan(PLAN)) == []  # a stack tells less
    assert of_sound({"blocks": 0, "manner": "none"}) == "sound: none"
    copied = {"blocks": 3, "tracks": 1, "manner": "copied", "codec": "opus"}
    assert of_sound(copied) == "sound: copied, as it is Opus already"
    encoded = {"blocks": 3, "tracks": 1, "manner": "encoded", "codec": "aac"}
    assert of_sound(encoded) == "sound: encoded to AAC"
    mixed = {"blocks": 3, "tracks": 2, "manner": "mixed", "codec": "aac"}
    assert of_sound(mixed) == "sound: 2 tracks, copied if it is AAC already, else encoded to that"


def test_a_line_that_has_no_room_for_the_rate_leaves_it_out() -> None:
    """If this fails, a narrow terminal loses the time left for the rate."""
    clock = Clock()
    progress = planned(LineProgress(io.StringIO(), moving=False, clock=clock))
    begin(progress, 0)
    clock.now += 2
    end(progress, 0, size=50_000)
    assert progress.line() == "encoding: 100/1000 frames, 50.0 fps, 0:18 left, 100 kbit/s"
