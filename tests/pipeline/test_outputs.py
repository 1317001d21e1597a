"""Where results go: full disks, long names, symbolic links, a job that two encodes want."""

from __future__ import annotations

import fcntl
import os
import resource
import threading
from pathlib import Path
from unittest.mock import ANY

import pytest

from excamera.cli import main
from excamera.media.playback import read_file
from excamera.media.sample import SampleClip, write_sample
from tests.support.commands import EXCAMERA, can_mount, on_a_small_disk, run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short clip with sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_sample(path, SampleClip(width=160, height=96, seconds=0.5))
    return path


@pytest.fixture(scope="module")
def encoded(clip: Path) -> Path:
    """The clip, encoded."""
    path = clip.with_name("encoded.webm")
    assert main(["encode", str(clip), str(path)]) == 0
    return path


def refused(capfd: Capture, *arguments: object) -> str:
    """Run a command in this process, check that it was refused, and return why."""
    assert main([str(argument) for argument in arguments]) == 2
    error = capfd.readouterr().err
    assert "Traceback" not in error
    return error.splitlines()[-1]


# ---- full disks ----


@pytest.mark.slow
def test_a_full_disk_is_told_with_its_folder_and_what_to_do(
    clip: Path, encoded: Path, tmp_path: Path
) -> None:
    """If this fails, a full disk ends in a traceback, or in a word that does not say which disk."""
    disk, there = tmp_path / "disk", tmp_path / "there"
    if not can_mount(disk):
        pytest.skip("this user may mount no small disk")
    there.mkdir()
    output = there / "a.webm"
    temporary = {**os.environ, "TMPDIR": str(disk)}
    plain = dict(os.environ)
    with clip.open("rb") as stdin:
        for case, size, command, environment, folder, advice in (
            ("the job", "24k", ["encode", clip, output, "--work-dir", disk], plain, disk,
             "--work-dir"),
            ("a copy of stdin", "8k", ["encode", "-", output], temporary, disk, "TMPDIR"),
            ("a kept job", "24k", ["encode", clip, output, "--keep-job", disk / "job"], plain,
             disk / "job", "--keep-job"),
            ("the result", "4k", ["encode", clip, disk / "a.webm"], plain, disk, "folder"),
            ("a sample", "16k", ["sample", disk / "a.mp4"], plain, disk, "folder"),
            ("pictures", "16k", ["decode", encoded, "-o", disk / "a.y4m"], plain, disk, "folder"),
        ):  # fmt: skip
            stdin.seek(0)
            done, left = on_a_small_disk(
                disk, size, *EXCAMERA, *command, env=environment, stdin=stdin
            )
            assert done.returncode == 2, (case, done.stderr)
            line = done.stderr.splitlines()[-1]
            assert line.startswith(f"excamera: {folder}: No space left on device: "), (case, line)
            assert advice in line, (case, line)
            assert "Traceback" not in done.stderr, (case, done.stderr)
            assert list(there.iterdir()) == [], case
            # These stay, so that they can be resumed; the second if a piece of it is finished.
            kept = {"a kept job": [["job"]], "the job": [[], [ANY]]}
            assert left in kept.get(case, [[]]), case


@pytest.mark.slow
def test_a_page_that_finds_no_room_takes_no_result_with_it(clip: Path, tmp_path: Path) -> None:
    """If this fails, an encode of hours is thrown away because its timeline cannot be written."""
    disk = tmp_path / "disk"
    if not can_mount(disk):
        pytest.skip("this user may mount no small disk")
    output = tmp_path / "a.webm"
    done, left = on_a_small_disk(
        disk, "8k", *EXCAMERA, "encode", clip, output, "--timeline", disk / "t.html"
    )
    assert done.returncode == 2
    assert f"excamera: {disk}: No space left on device" in done.stderr
    assert left == []
    assert len(read_file(output).frames) >= 12


def test_a_limit_of_files_in_a_worker_is_told(clip: Path, tmp_path: Path) -> None:
    """If this fails, what a worker process could not write is not told with its folder."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    work, temporary = tmp_path / "work", tmp_path / "tmp"
    temporary.mkdir()
    done = run(*EXCAMERA, "encode", clip, tmp_path / "a.webm", "--work-dir", work,
               preexec_fn=limit, env={**os.environ, "TMPDIR": str(temporary)})  # fmt: skip
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"excamera: {work}: File too large: "), line
    assert "--work-dir" in line
    assert set(tmp_path.iterdir()) == {work, temporary}
    assert list(temporary.iterdir()) == []


# ---- names ----


def test_the_longest_names_work_and_longer_ones_are_refused(
    clip: Path, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a long name fails after all the work, because of a longer temporary name."""

    def named(ending: str, length: int = 255) -> Path:
        return tmp_path / ("é" * 100 + "x" * (length - 200 - len(ending)) + ending)

    result, page, pictures, sample = map(named, (".webm", ".html", ".y4m", ".mp4"))
    assert {len(os.fsencode(one.name)) for one in (result, page, pictures, sample)} == {255}
    assert main(["encode", str(clip), str(result), "--timeline", str(page)]) == 0
    assert main(["decode", str(result), "-o", str(pictures)]) == 0
    assert main(["sample", str(sample), "--seconds", "0.1"]) == 0
    assert set(tmp_path.iterdir()) == {result, page, pictures, sample}
    capfd.readouterr()
    for arguments in (
        ["encode", clip, named(".webm", 256)],
        ["encode", clip, tmp_path / "a.webm", "--timeline", named(".html", 256)],
        ["decode", result, "-o", named(".y4m", 256)],
        ["sample", named(".mp4", 256)],
    ):
        assert "File name too long" in refused(capfd, *arguments)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_symbolic_link_is_written_through(clip: Path, tmp_path: Path) -> None:
    """If this fails, a link to another disk is replaced by a file on this one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    links = {}
    for name in ("a.webm", "t.html", "a.y4m", "s.mp4"):
        (elsewhere / name).write_bytes(b"before")
        links[name] = tmp_path / name
        links[name].symlink_to(Path("elsewhere", name))
    result, page, pictures, sample = map(str, links.values())
    assert main(["encode", str(clip), result, "--overwrite", "--timeline", page]) == 0
    assert main(["decode", result, "-o", pictures]) == 0
    assert main(["sample", sample, "--seconds", "0.1", "--overwrite"]) == 0
    for name, link in links.items():
        assert link.is_symlink()
        assert not (elsewhere / name).is_symlink()
        assert (elsewhere / name).stat().st_size > 1000
    assert len(list(elsewhere.iterdir())) == 4
    assert len(list(tmp_path.iterdir())) == 5


def test_links_that_lead_nowhere_are_refused_first(
    clip: Path, encoded: Path, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a broken link is replaced, or a result has no place after all the work."""
    for name in ("a.webm", "t.html", "a.y4m", "s.mp4"):
        (tmp_path / name).symlink_to(Path("nowhere", name))
        (tmp_path / f"loop-{name}").symlink_to(f"loop-{name}")
    there = sorted(tmp_path.iterdir())
    for prefix, reason in (("", "which does not exist"), ("loop-", "leads in a circle")):
        result, page, pictures, sample = (
            tmp_path / f"{prefix}{name}" for name in ("a.webm", "t.html", "a.y4m", "s.mp4")
        )
        for arguments in (
            ["encode", clip, result, "--overwrite"],
            ["encode", clip, tmp_path / "b.webm", "--timeline", page],
            ["decode", encoded, "-o", pictures],
            ["sample", sample, "--overwrite"],
        ):
            line = refused(capfd, *arguments)
            assert reason in line
            assert "remove the link, or mend it" in line
    assert sorted(tmp_path.iterdir()) == there


def test_a_link_does_not_lead_to_the_source(
    clip: Path, encoded: Path, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a film is replaced by its own pictures, or by a page."""
    before = clip.read_bytes(), encoded.read_bytes()
    page, same, pictures = tmp_path / "t.html", tmp_path / "a.webm", tmp_path / "a.y4m"
    page.symlink_to(clip)
    same.symlink_to(clip)
    pictures.symlink_to(encoded)
    for arguments, reason in (
        (["encode", clip, tmp_path / "b.webm", "--timeline", page], "is the input itself"),
        (["encode", encoded, tmp_path / "b.webm", "--timeline", page], "must end in .html"),
        (["encode", clip, same, "--overwrite"], "is the input itself"),
        (["decode", encoded, "-o", pictures], "is the input itself"),
        (["decode", encoded, "-o", encoded], "is the input itself"),
    ):
        assert reason in refused(capfd, *arguments)
    assert (clip.read_bytes(), encoded.read_bytes()) == before


def test_an_encode_writes_into_a_pipe(clip: Path, encoded: Path, tmp_path: Path) -> None:
    """If this fails, a pipe or a device that is named as output is replaced by a file."""
    pipe = tmp_path / "pipe.webm"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert main(["encode", str(clip), str(pipe), "--overwrite"]) == 0
    reader.join()
    assert pipe.is_fifo()
    assert read == [encoded.read_bytes()]


def test_a_sample_is_whole_or_not_there(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, half a sample stays under its name, or a container is guessed wrong."""
    kept = tmp_path / "kept.mp4"
    kept.write_bytes(b"precious")
    for name in ("a.webm", "a", "a.xyz"):
        assert "must end in .mp4 or .mkv" in refused(capfd, "sample", tmp_path / name)
    assert "exists already" in refused(capfd, "sample", kept)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = run(*EXCAMERA, "sample", kept, "--overwrite", preexec_fn=limit)
    assert done.returncode == 2
    assert f"excamera: {tmp_path}: File too large" in done.stderr
    assert kept.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [kept]


# ---- a kept job ----


def test_two_encodes_do_not_share_a_job(clip: Path, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, two encodes mix their chunks."""
    job = tmp_path / "job"
    arguments = ["encode", clip, tmp_path / "a.webm", "--keep-job", job]
    job.mkdir()
    with (job / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as an encode that runs
        line = refused(capfd, *arguments)
    assert line == (
        f"excamera: {job}: another encode keeps its job there: wait for its end, or name another "
        "directory with --keep-job"
    )
    assert list(tmp_path.iterdir()) == [job]
    assert main(list(map(str, arguments))) == 0


@pytest.mark.slow
def test_an_encode_holds_its_kept_job(clip: Path, tmp_path: Path) -> None:
    """If this fails, the second of two encodes does not notice the first."""
    pipe, job = tmp_path / "pipe", tmp_path / "job"
    os.mkfifo(pipe)
    first: list[int] = []
    encode = [*EXCAMERA, "encode", "--keep-job", job]
    thread = threading.Thread(
        target=lambda: first.append(run(*encode, pipe, tmp_path / "a.webm").returncode)
    )
    thread.start()
    with pipe.open("wb") as writing:  # the first has begun to read, and waits
        second = run(*encode, clip, tmp_path / "b.webm")
        writing.write(clip.read_bytes())
    thread.join()
    assert second.returncode == 2
    assert "another encode keeps its job there" in second.stderr
    assert first == [0]
    # The lock has gone with its holder.
    assert run(*encode, clip, tmp_path / "b.webm").returncode == 0


# ---- room ----


@pytest.mark.slow
def test_a_disk_that_is_far_too_small_is_refused_first(tmp_path: Path) -> None:
    """If this fails, an encode of hours ends with a full disk, although that was foreseen."""
    disk = tmp_path / "disk"
    if not can_mount(disk):
        pytest.skip("this user may mount no small disk")
    film = tmp_path / "film.mp4"
    write_sample(film, SampleClip(width=1280, height=720, seconds=4))
    for where, arguments, advice in (
        (disk, [tmp_path / "a.webm", "--work-dir", disk], "name another folder with --work-dir"),
        (disk, [disk / "a.webm", "--work-dir", tmp_path / "work"], "choose another folder for"),
    ):
        done, left = on_a_small_disk(disk, "32k", *EXCAMERA, "encode", film, *arguments)
        assert done.returncode == 2
        line = done.stderr.splitlines()[-1]
        assert line.startswith(f"excamera: {where}: ")
        assert " kB are free, and the encode is expected to need " in line
        assert advice in line
        assert "encoding" not in done.stderr
        assert left == []
    assert list((tmp_path / "work").iterdir()) == []
