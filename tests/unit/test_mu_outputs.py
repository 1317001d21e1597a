"""Where `mu` puts files: links, devices, long names, full disks."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import pytest

from mu import CommandDone, DirectoryStore, Executor, MuError, StoreFull, TaskRecord
from mu.commands.command import Command, Input, Output
from mu.commands.task import plan
from mu.store.files import deliver
from mu.timeline_page import write_page
from tests.support.commands import MU, run

COPY = Command(["cp", Input("in"), Output("out")])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to deliver."""
    path = tmp_path / "file"
    path.write_text("new")
    return path


def test_a_link_stays_and_its_file_is_replaced(file: Path, tmp_path: Path) -> None:
    """If this fails, results go to the wrong disk."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("old")
    link = tmp_path / "link"
    link.symlink_to(elsewhere / "kept")
    deliver(file, str(link))
    assert link.is_symlink()
    assert (elsewhere / "kept").read_text() == "new"
    write_page(link, [TaskRecord("a", 0, {}, 0.0)], title="a page")
    assert link.is_symlink()
    assert "a page" in (elsewhere / "kept").read_text()
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_that_leads_nowhere_is_an_error(target: str, file: Path, tmp_path: Path) -> None:
    """If this fails, a broken link is silently replaced."""
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(OSError, match="is a symbolic link"):
        deliver(file, str(link))
    with pytest.raises(OSError, match="is a symbolic link"):
        write_page(link, [], title="a page")
    assert link.is_symlink()
    assert file.exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pipe_is_written_to(file: Path, tmp_path: Path) -> None:
    """If this fails, `--output /dev/null` replaces the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    deliver(file, str(pipe))
    reader.join()
    assert read == [b"new"]
    assert pipe.is_fifo()


def test_long_names_work_or_are_refused_before_anything_runs(file: Path, tmp_path: Path) -> None:
    """If this fails, a program runs for hours and its result has no place."""
    longest = str(tmp_path / ("x" * 255))
    with Executor(workers=1) as executor:
        (done,) = executor.map(COPY, [str(file)], into=longest)
    assert isinstance(done, CommandDone)
    assert Path(longest).read_text() == "new"
    with pytest.raises(MuError, match="longer than 255 bytes"):
        list(plan(COPY, [str(file)], longest + "x"))


def test_a_full_store_says_where_it_is(tmp_path: Path) -> None:
    """If this fails, a full disk is told without its folder, or leaves half an object."""
    program = (
        "import sys; from mu import DirectoryStore, StoreFull\n"
        "store = DirectoryStore(sys.argv[1])\n"
        "big = b'x' * 100_000\n"
        "for write in (store.put, store.put_new, lambda k, d: store.concat(k, [d])):\n"
        "    try: write('a/b', big)\n"
        "    except StoreFull as full: print(full)\n"
    )
    done = run(MU[0], "-c", program, tmp_path / "store", preexec_fn=_limit)
    assert done.stdout == f"{tmp_path / 'store'}: File too large\n" * 3, done.stderr
    assert DirectoryStore(tmp_path / "store").list() == []
    assert list((tmp_path / "store" / "a").iterdir()) == []
    assert issubclass(StoreFull, MuError)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
