"""Stopping an encode half-way: no process, no file, no directory is left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from excamera.media.sample import SampleClip, write_sample
from tests.support.processes import alive

pytestmark = pytest.mark.slow  # many encodes, one after another

COMMAND = [sys.executable, "-c", "import sys; from excamera.cli import main; sys.exit(main())"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that takes some seconds to encode."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    write_sample(path, SampleClip(width=1280, height=720, rate=24, seconds=2))
    return path


def children(process: int) -> list[int]:
    """Processes whose parent this is."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == process and fields[0] != "Z":
                found.append(int(entry.name))
    return found


class Running:
    """`excamera encode` in its own process, with its own temporary directory."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.temporary, self.outputs = folder / "tmp", folder / "out"
        self.temporary.mkdir()
        self.outputs.mkdir()
        self.errors = folder / "errors"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    *COMMAND,
                    "encode",
                    str(source),
                    str(self.outputs / "out.webm"),
                    "-j",
                    "2",
                    "-n",
                    "6",
                ],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                stderr=errors,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.workers: list[int] = []
        self.started: set[int] = set()

    def wait_until_encoding(self) -> None:
        """Wait for the first chunk; the workers are then known."""
        deadline = time.monotonic() + 60
        while not list(self.temporary.rglob("chunks/*/*.ivf")):
            assert self.process.poll() is None, self.errors.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        started = children(self.process.pid)
        # Where a nursery forks the workers, they are its children.
        forked = [worker for process in started for worker in children(process)]
        self.workers = forked or started
        self.started = {*started, *forked}
        assert self.workers

    def assert_nothing_is_left(self) -> None:
        """No worker, no output, no temporary file."""
        deadline = time.monotonic() + 10
        while any(alive(process) for process in self.started):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert list(self.outputs.iterdir()) == []
        assert list(self.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_nothing(
    number: signal.Signals, code: int, long_clip: Path, tmp_path: Path
) -> None:
    """If this fails, Ctrl-C leaves encoders, half an output or gigabytes in /tmp."""
    running = Running(long_clip, tmp_path)
    running.wait_until_encoding()
    os.killpg(running.process.pid, number)  # as a terminal does
    assert running.process.wait(timeout=30) == code
    running.assert_nothing_is_left()
    assert "Traceback" not in running.errors.read_text()


def test_a_killed_worker_is_reported_with_its_task(long_clip: Path, tmp_path: Path) -> None:
    """If this fails, a worker killed for lack of memory hangs the encode or goes unexplained."""
    running = Running(long_clip, tmp_path)
    running.wait_until_encoding()
    # All of them: one alone may be between two tasks.
    for worker in running.workers:
        os.kill(worker, signal.SIGKILL)
    assert running.process.wait(timeout=60) == 2
    running.assert_nothing_is_left()
    lines = [x for x in running.errors.read_text().splitlines() if x.startswith("excamera: ")]
    assert len(lines) == 1
    assert "SIGKILL" in lines[0]
    assert "task " in lines[0]


def test_a_killed_parent_takes_its_workers_along(long_clip: Path, tmp_path: Path) -> None:
    """If this fails, `kill -9` leaves encoders running for minutes."""
    running = Running(long_clip, tmp_path)
    running.wait_until_encoding()
    running.process.kill()
    running.process.wait(timeout=30)
    deadline = time.monotonic() + 10
    while any(alive(process) for process in running.started):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list(running.outputs.iterdir()) == []


def test_a_terminal_gets_one_moving_line(tmp_path: Path) -> None:
    """If this fails, progress floods the terminal or is not seen at all."""
    clip = tmp_path / "a.mp4"
    write_sample(clip, SampleClip(width=160, height=96, seconds=1))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "encode", str(clip), str(tmp_path / "a.webm")],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    text = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        text += data
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"\r[" in text
    assert b"chunks" in text
    assert b" fps" in text
    assert text.count(b"\n") <= 3


def test_elsewhere_progress_is_plain_lines(tmp_path: Path) -> None:
    """If this fails, logs fill with control characters."""
    clip = tmp_path / "a.mp4"
    write_sample(clip, SampleClip(width=160, height=96, seconds=1))
    done = subprocess.run(
        [*COMMAND, "encode", str(clip), str(tmp_path / "a.webm")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "\r" not in done.stderr
    assert "24 frames in 2 chunks, 1 batch\n" in done.stderr
    assert "coding anchors\nencoding\n" in done.stderr
    assert "1 key frame," in done.stdout
