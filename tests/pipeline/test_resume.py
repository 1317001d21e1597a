"""The same encode goes on from what an earlier one has left, and from nothing else."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import excamera.local
from excamera import work
from excamera.cli import main
from excamera.errors import JobInUse, NotAVideo, OptionError, OutputNotWritable
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.work import left_in, usual_parent
from mu import Observer, TaskRecord
from mu.whole import TEMPORARY
from tests.pipeline.clips import Clip
from tests.support.commands import run
from tests.support.kill_at import WithSpans

Capture = pytest.CaptureFixture[str]

FRAMES_OF_BATCH_3 = 24
OPTIONS = EncodeOptions(batch_chunks=2)
"""Batches of at most 24 frames, which follow the scenes."""

PLAIN = EncodeOptions(chunk_frames=4, batch_chunks=2)


class Seen(Observer):
    """Notes what became of each batch; stops the encode when the task of a step begins."""

    def __init__(self, step: str = "", number: int = -1) -> None:
        self.again: list[int] = []
        self.made: list[int] = []
        self._place = step, number

    def started(self, record: TaskRecord) -> None:
        if (record.name, record.number) == self._place:
            raise Stopped

    def finished(self, record: TaskRecord) -> None:
        if record.name == "encode" and record.error is None:
            (self.again if record.result["again"] else self.made).append(record.event["batch"])


class Stopped(Exception):
    """An encode was stopped by its observer."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with sound that has two spans and several batches."""
    return Clip(frames=200, width=32, height=32, sound="aac").write(
        tmp_path_factory.mktemp("film") / "film.mp4"
    )


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encodes of this process survey spans."""
    monkeypatch.setattr(excamera.local, "Executor", WithSpans)


@pytest.fixture(scope="module")
def undisturbed(film: Path) -> bytes:
    """The encoded film."""
    output = film.with_name("undisturbed.webm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(excamera.local, "Executor", WithSpans)
        encode_file(str(film), output, OPTIONS, workers=1)
    return output.read_bytes()


class Place:
    """An output, and a folder of work folders."""

    def __init__(self, folder: Path) -> None:
        self.output, self.parent = folder / "out" / "a.webm", folder / "work"
        self.output.parent.mkdir()

    def encode(self, source: Path, options: EncodeOptions = PLAIN, *, stop: int = -1,
               **more: Any) -> Seen:  # fmt: skip
        """Encode, and perhaps stop when the batch of that number begins."""
        seen = Seen("encode", stop)
        given = {"workers": 1, "overwrite": True, "work_dir": self.parent, **more}
        if stop >= 0:
            with pytest.raises(Stopped):
                encode_file(str(source), self.output, options, observer=seen, **given)
        else:
            encode_file(str(source), self.output, options, observer=seen, **given)
        return seen

    @property
    def result(self) -> bytes:
        """The encoded film, which is all that is in its folder."""
        assert list(self.output.parent.iterdir()) == [self.output]
        return self.output.read_bytes()

    @property
    def folders(self) -> list[Path]:
        """The work folders."""
        return [one.path for one in left_in(self.parent)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A new place."""
    return Place(tmp_path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with sound that has five batches."""
    return Clip(frames=40, width=48, height=32, sound="aac").write(
        tmp_path_factory.mktemp("clip") / "clip.mp4"
    )


@pytest.fixture(scope="module")
def encoded(clip: Path) -> bytes:
    """The clip, encoded at once."""
    encode_file(str(clip), clip.with_name("a.webm"), PLAIN, workers=1)
    return clip.with_name("a.webm").read_bytes()


def pieces(folder: Path) -> dict[str, int]:
    """When each finished piece was stored, by its record."""
    keys = Keys(work.JOB)
    found = [folder / Keys.record(keys.audio)]
    for one in (keys.cluster(0), keys.survey(0)):
        found += sorted((folder / one).parent.glob("*.json"))
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found
            if path.exists()}  # fmt: skip


def first(count: int) -> tuple[list[int], list[int]]:
    """The batches that are finished if an encode was stopped when the next one began.

    Its worker may have ended that one, too, before it was stopped itself.
    """
    return list(range(count)), list(range(count + 1))


# ---- killed ----


def test_an_encode_that_is_killed_at_every_step_is_taken_up_again(
    film: Path, undisturbed: bytes, place: Place, spans: None
) -> None:
    """If this fails, an encode that was killed starts anew, or makes another film."""
    command = ["encode", film, place.output, "-x", "2", "-j", "1", "--work-dir", place.parent]
    before: dict[str, int] = {}
    for step, number, surveys, batches in (
        ("index", 0, 0, {0}),
        ("survey", 1, 1, {0}),
        ("audio", 0, 1, {0}),
        ("plan", 0, 2, {0}),
        ("encode", 3, 2, {3, 4}),  # the worker, which outlives its parent a little, may end it
        ("join", 5, 2, {5, 6}),
        ("stitch", 0, 2, {9}),
        ("copy", 0, 2, {9}),
    ):
        done = run(sys.executable, "-m", "tests.support.kill_at", step, number, 24, *command)
        assert done.returncode == -signal.SIGKILL, (step, done.stderr)
        [folder] = place.folders
        assert before.items() <= pieces(folder).items(), f"a piece was made again before {step}"
        before = pieces(folder)
        assert sum("surveys/" in name for name in before) >= surveys, step
        assert sum("batches/" in name for name in before) in batches, step
    [part] = place.output.parent.iterdir()
    assert part.name.startswith(TEMPORARY)
    looking = place.encode(film, OPTIONS)
    assert (looking.again, looking.made) == (list(range(9)), [])
    assert place.result == undisturbed
    assert place.folders == []


def test_a_source_that_was_decoded_for_its_frames_is_not_decoded_again(
    tmp_path: Path, place: Place
) -> None:
    """If this fails, a recording of hours is decoded whole before an encode can go on."""
    source = Clip(frames=24, width=48, height=32).write(tmp_path / "a.ts")
    assert place.encode(source, stop=2).made == [0, 1]
    [folder] = place.folders
    keys = Keys(work.JOB)
    files = [folder / keys.packets, folder / keys.index]
    before = [path.stat().st_mtime_ns for path in files]
    after: list[int] = []

    class Looking(Seen):
        def started(self, record: TaskRecord) -> None:
            if record.name == "stitch":
                after.extend(path.stat().st_mtime_ns for path in files)

    looking = Looking()
    encode_file(str(source), place.output, PLAIN, workers=1, work_dir=place.parent,
                observer=looking)  # fmt: skip
    assert after == before
    assert looking.again in first(2)
    resumed = place.result
    place.encode(source, work_dir=None)
    assert place.result == resumed


def test_a_stopped_encode_says_how_it_goes_on(
    clip: Path, encoded: bytes, place: Place, capfd: Capture
) -> None:
    """If this fails, nobody knows that an interrupted encode can go on, or what it has left."""
    lines: list[str] = []
    assert place.encode(clip, stop=2, say=lines.append).made == [0, 1]
    [folder] = place.folders
    assert lines == [
        f"what is done so far stays in {folder}: the same command goes on from there; "
        "`excamera clean --all` removes it"
    ]
    arguments = ["-n", "4", "-x", "2", "--work-dir", str(place.parent)]
    assert main(["encode", str(clip), str(place.output), *arguments]) == 0
    said = capfd.readouterr().err.splitlines()
    assert said[0] == f"going on from what an earlier run has left in {folder}"
    assert place.result == encoded
    assert place.folders == []


# ---- what is not taken over ----


def frames_of(path: Path, change: int) -> None:
    """Write 26 frames as Y4M, of which those in the middle may differ."""
    with path.open("wb") as out:
        out.write(b"YUV4MPEG2 W320 H240 F25:1 Ip A1:1 C420\n")
        for number in range(26):
            level = 40 + 7 * number + (change if number in (12, 13) else 0)
            out.write(b"FRAME\n" + bytes([level]) * (320 * 240) + bytes([128]) * (320 * 120))


@pytest.mark.parametrize("kept", [False, True], ids=["work folder", "--keep-job"])
def test_a_source_that_is_changed_in_its_middle_is_another_one(
    kept: bool, tmp_path: Path, place: Place
) -> None:
    """If this fails, a result has pictures of a source that is not there any more.

    Size, time of change, name and both ends of the file are those of before.
    """
    source = tmp_path / "a.y4m"
    frames_of(source, 0)
    before = source.stat()
    more: dict[str, Any] = {"work_dir": None, "keep_job": tmp_path / "job"} if kept else {}
    assert place.encode(source, stop=2, **more).made == [0, 1]
    with source.open("r+b") as file:
        ends = file.read(1 << 20)
    frames_of(source, 50)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = source.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with source.open("rb") as file:
        assert file.read(1 << 20) == ends
    assert place.encode(source, **more).again == []
    changed = place.result
    assert place.encode(source, work_dir=None).again == []
    assert place.result == changed


def test_another_option_has_another_folder(clip: Path, encoded: bytes, place: Place) -> None:
    """If this fails, a film has batches of two qualities."""
    coarse = PLAIN.with_values({"crf": 60})
    assert place.encode(clip, coarse, stop=2).made == [0, 1]
    assert place.encode(clip).again == []
    assert place.result == encoded
    assert place.encode(clip, coarse).again in first(2)
    assert place.result != encoded
    assert place.folders == []


def test_another_program_takes_nothing_over(
    clip: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, an update of the program makes a film of two kinds of batches."""
    assert place.encode(clip, stop=2).made == [0, 1]
    monkeypatch.setattr(work, "_program", lambda: [["another", 1, 1]])
    assert place.encode(clip).again == []


def test_a_record_that_a_disk_has_lost_does_no_harm(
    clip: Path, encoded: bytes, place: Place
) -> None:
    """If this fails, an encode cannot go on after the power has failed."""
    assert place.encode(clip, stop=3).made == [0, 1, 2]
    [folder] = place.folders
    keys = Keys(work.JOB)
    (folder / Keys.record(keys.cluster(0))).write_bytes(b"")
    (folder / keys.cluster(1)).write_bytes(b"")
    assert place.encode(clip).again in ([2], [2, 3])
    assert place.result == encoded


# ---- what leaves no folder ----


def test_what_cannot_be_taken_up_leaves_nothing(
    clip: Path, encoded: bytes, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, folders pile up that no encode can use."""
    place.encode(clip)
    assert list(place.parent.iterdir()) == []
    no_film = tmp_path / "no.mp4"
    no_film.write_bytes(b"no film")
    with pytest.raises(NotAVideo):
        place.encode(no_film)
    assert list(place.parent.iterdir()) == []
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(clip.read_bytes())))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    assert place.encode(Path("-"), stop=2).made == [0, 1]
    assert list(place.parent.iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert place.result == encoded


def test_folders_that_cannot_be_used(
    clip: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a home that cannot be written to stops every encode, or one is ignored."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OutputNotWritable, match="name another folder with --work-dir"):
        place.encode(clip, work_dir=file / "work")
    with pytest.raises(OptionError, match="give one"):
        place.encode(clip, keep_job=tmp_path / "job")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert usual_parent() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert usual_parent() == tmp_path / "cache" / "excamera"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert usual_parent() == tmp_path / "home" / ".cache" / "excamera"


# ---- one at a time, and cleaning up ----


@pytest.fixture
def left(clip: Path, place: Place) -> Path:
    """A folder that an encode has left."""
    place.encode(clip, stop=2)
    [folder] = place.folders
    return folder


def test_a_folder_in_use_is_neither_shared_nor_removed(
    left: Path, clip: Path, place: Place, capfd: Capture
) -> None:
    """If this fails, two encodes mix their pieces, or one loses them while it runs."""
    with (left / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(JobInUse, match="runs: wait for its end"):
            place.encode(clip)
        assert main(["clean", "--all", "--json", "--work-dir", str(place.parent)]) == 0
        [told] = json.loads(capfd.readouterr().out)
    assert told["what"] == "in use"
    assert place.folders == [left]
    assert place.encode(clip).again in first(2)


def test_clean_removes_what_is_old_enough(
    left: Path, clip: Path, place: Place, capfd: Capture
) -> None:
    """If this fails, left folders fill the disk, or what somebody wants to take up goes."""
    other = place.parent / "a film"
    other.mkdir()
    part = place.output.with_name(f"{TEMPORARY}0123.webm")
    part.touch()
    (left / "part").write_text(str(part))

    def cleaned(*arguments: str) -> tuple[dict[str, Any], list[Path]]:
        given = ["clean", "--json", "--work-dir", str(place.parent), *arguments]
        assert main(given) == 0
        [told] = json.loads(capfd.readouterr().out)
        return told, place.folders

    told, still = cleaned()
    assert (told["what"], still) == ("stays", [left])
    told, still = cleaned("--all", "--dry-run")
    assert (told["what"], still) == ("would go", [left])
    assert (told["source"], told["output"]) == (str(clip), str(place.output))
    assert told["bytes"] >= sum(path.stat().st_size for path in left.rglob("*.cluster"))
    for path in (*left.rglob("*"), left):
        os.utime(path, (0, 0))
    told, still = cleaned("--older-than", "1000d")
    assert (told["what"], still) == ("removed", [])
    assert not part.exists()
    assert list(place.parent.iterdir()) == [other]
    assert main(["clean", "--work-dir", str(place.parent)]) == 0
    assert "0 folders removed" in capfd.readouterr().out
    assert main(["clean", "--all", "--older-than", "1d"]) == 2
    assert main(["clean", "--older-than", "soon"]) == 2


def test_what_a_killed_cleaning_has_left_goes_with_the_next(
    left: Path, clip: Path, encoded: bytes, place: Place
) -> None:
    """If this fails, half a folder stays for ever, or an encode goes on from it."""
    gone = left.replace(left.with_name(f"{left.name}.gone"))
    assert place.encode(clip).again == []
    assert place.result == encoded
    assert not gone.exists()
