"""Stopping an encode half-way: nothing is left but the work folder, from which it can go on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from excamera.media.sample import SampleClip, write_sample
from excamera.work import left_in
from tests.support.commands import EXCAMERA, MU, on_a_terminal
from tests.support.processes import alive, wait_until
from tests.support.shared import ROOT

pytestmark = pytest.mark.slow  # many encodes, one after another


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

    def __init__(self, source: Path, folder: Path, *before: str) -> None:
        self.temporary, self.outputs = folder / "tmp", folder / "out"
        self.work = folder / "work"
        self.temporary.mkdir()
        self.outputs.mkdir()
        self.errors = folder / "errors"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    *before,
                    *EXCAMERA,
                    "encode",
                    str(source),
                    str(self.outputs / "out.webm"),
                    "-j",
                    "2",
                    "-n",
                    "6",
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "TMPDIR": str(self.temporary),
                    "EXCAMERA_WORK_DIR": str(self.work),
                },
                stderr=errors,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.workers: list[int] = []
        self.started: set[int] = set()

    def wait_until_encoding(self) -> None:
        """Wait until a batch has begun; the workers are then known."""
        deadline = time.monotonic() + 120
        while "\nencoding\n" not in self.errors.read_text():
            assert self.process.poll() is None, self.errors.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        started = children(self.process.pid)
        # Where a nursery forks the workers, they are its children.
        forked = [worker for process in started for worker in children(process)]
        self.workers = forked or started
        self.started = {*started, *forked}
        assert self.workers

    def assert_only_its_work_is_left(self) -> None:
        """No worker, no output, no temporary file; the folder from which it can go on."""
        wait_until(lambda: not any(map(alive, self.started)))
        assert list(self.outputs.iterdir()) == []
        assert list(self.temporary.iterdir()) == []
        [left] = left_in(self.work)
        assert not left.in_use
        assert f"what is done so far stays in {left.path}: " in self.errors.read_text()


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_only_what_can_be_taken_up(
    number: signal.Signals, code: int, times: int, long_clip: Path, tmp_path: Path
) -> None:
    """If this fails, Ctrl-C leaves encoders, half an output or gigabytes in /tmp, or no work.

    Or it does if somebody impatient hits it several times.
    """
    running = Running(long_clip, tmp_path)
    running.wait_until_encoding()
    for _ in range(times):
        os.killpg(running.process.pid, number)  # as a terminal does
        time.sleep(0.02 * (times > 1))
    # A shell shows the same number if a repetition meets Python at its very end.
    assert running.process.wait(timeout=120) in {code, -number if times > 1 else code}
    running.assert_only_its_work_is_left()
    assert "Traceback" not in running.errors.read_text()


def test_a_hangup_that_is_ignored_stops_nothing(long_clip: Path, tmp_path: Path) -> None:
    """If this fails, `nohup excamera encode` ends with the terminal."""
    running = Running(long_clip, tmp_path, "nohup")
    running.wait_until_encoding()
    os.killpg(running.process.pid, signal.SIGHUP)
    for process in running.started:
        os.kill(process, signal.SIGHUP)
    assert running.process.wait(timeout=120) == 0, running.errors.read_text()
    assert [path.name for path in running.outputs.iterdir()] == ["out.webm"]
    assert list(running.temporary.iterdir()) == []
    assert list(running.work.iterdir()) == []


@pytest.mark.parametrize("command", [EXCAMERA, MU], ids=["excamera", "mu"])
def test_an_interrupt_during_start_up_is_quiet(command: list[str], tmp_path: Path) -> None:
    """If this fails, Ctrl-C just after the command has begun shows a traceback."""
    begun = tmp_path / "begun"
    # It is imported among the first, and here it takes as long as somebody needs for Ctrl-C.
    (tmp_path / "click.py").write_text(
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(60)\n"
    )
    process = subprocess.Popen([*command, "--help"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True,
                               env={**os.environ, "PYTHONPATH": str(tmp_path)})  # fmt: skip
    try:
        wait_until(begun.exists)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=50)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said) == (130, b"")


def test_the_installed_commands_begin_like_that() -> None:
    """If this fails, only `python -m excamera` can be interrupted quietly."""
    found = {one.name: one.value for one in entry_points(group="console_scripts")}
    assert found["excamera"] == "excamera.__main__:main"
    assert found["mu"] == "mu.__main__:main"


def test_a_killed_worker_is_reported_with_its_task(long_clip: Path, tmp_path: Path) -> None:
    """If this fails, a worker killed for lack of memory hangs the encode or goes unexplained."""
    running = Running(long_clip, tmp_path)
    running.wait_until_encoding()
    # All of them: one alone may be between two tasks.
    for worker in running.workers:
        os.kill(worker, signal.SIGKILL)
    assert running.process.wait(timeout=60) == 2
    running.assert_only_its_work_is_left()
    lines = [x for x in running.errors.read_text().splitlines() if x.startswith("excamera: ")]
    assert len(lines) == 1
    assert "SIGKILL" in lines[0]
    assert "task " in lines[0]


def test_a_killed_parent_takes_its_workers_along(long_clip: Path, tmp_path: Path) -> None:
    """If this fails, `kill -9` leaves encoders running for minutes."""
    running = Running(long_clip, tmp_path)
    running.wait_until_encoding()
    running.process.kill()
    running.process.wait(timeout=60)
    wait_until(lambda: not any(map(alive, running.started)))
    assert list(running.outputs.iterdir()) == []


@pytest.mark.parametrize(
    ("columns", "bar", "speed"),
    [(0, True, True), (24, False, False), (50, True, True), (200, True, True)],
)
def test_a_terminal_gets_one_moving_line(
    columns: int, bar: bool, speed: bool, tmp_path: Path
) -> None:
    """If this fails, progress floods a plain terminal, wraps in a narrow one, or is not seen."""
    clip = tmp_path / "a.mp4"
    write_sample(clip, SampleClip(width=160, height=96, seconds=1))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment["TERM"] = "dumb"
    code, text = on_a_terminal(*EXCAMERA, "encode", clip, tmp_path / "a.webm", columns=columns,
                               env=environment)  # fmt: skip
    assert code == 0, text
    assert text.count("\n") <= 3
    # A line that does not end the usual way is drawn over by the next.
    moving = [line for line in re.findall(r"\r([^\r\n]*)(?!\r?\n)(?=\r)", text) if line.strip()]
    assert any("encoding: 0/24 frames" in line for line in moving)
    assert max(map(len, moving)) < (columns or 80)
    assert ("[" in "".join(moving)) == bar
    assert any(line.endswith(" left") for line in moving) == speed


_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.parametrize("plain", [False, True], ids=["colours", "NO_COLOR and ASCII"])
def test_a_capable_terminal_gets_phases_numbers_and_a_grid(plain: bool, tmp_path: Path) -> None:
    """If this fails, the display wraps, has colours that nobody wants, or leaves something."""
    clip = tmp_path / "a.mp4"
    write_sample(clip, SampleClip(width=160, height=96, seconds=1))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "200"}  # which is wrong
    if plain:
        environment |= {"NO_COLOR": "1", "LC_ALL": "C", "PYTHONUTF8": "0",
                        "PYTHONCOERCECLOCALE": "0"}  # fmt: skip
    code, text = on_a_terminal(*EXCAMERA, "encode", clip, tmp_path / "a.webm", "-n", "2", "-x",
                               "2", columns=60, env=environment)  # fmt: skip
    assert code == 0, text
    shown = [line for line in re.split(r"[\r\n]+", _SEQUENCE.sub("", text)) if line]
    assert "24 frames in 12 chunks, 6 batches" in shown
    assert "reading the source, encoding" in shown
    assert ("######" if plain else "██████") in shown
    assert any(re.match(r"24/24 frames  100%  [\d.]+ fps  0:00 left  ", line) for line in shown)
    assert max(map(len, shown[:-1])) <= 60
    assert bool(re.search(r"\x1b\[3[0-9]m", text)) is not plain
    assert "\x1b[?25l" not in text, "the cursor would stay hidden after a SIGKILL"
    # What moves is gone at the end: only the plan and the result stay.
    assert text.count("\x1b[2K") >= 3
    assert shown[-1].startswith(f"{tmp_path}/a.webm: ")


def test_a_narrow_window_of_a_capable_terminal_gets_one_line(tmp_path: Path) -> None:
    """If this fails, a display of several lines floods a narrow window."""
    clip = tmp_path / "a.mp4"
    write_sample(clip, SampleClip(width=160, height=96, seconds=0.5))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    code, text = on_a_terminal(*EXCAMERA, "encode", clip, tmp_path / "a.webm", columns=40,
                               env={**environment, "TERM": "xterm"})  # fmt: skip
    assert code == 0, text
    assert "\x1b" not in text
    assert "\rencoding: 0/12 frames" in text


def test_elsewhere_progress_is_plain_lines(tmp_path: Path) -> None:
    """If this fails, logs fill with control characters."""
    clip = tmp_path / "a.mp4"
    write_sample(clip, SampleClip(width=160, height=96, seconds=1))
    done = subprocess.run(
        [*EXCAMERA, "encode", str(clip), str(tmp_path / "a.webm")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "\r" not in done.stderr
    assert "24 frames in 2 chunks, 1 batch\n" in done.stderr
    assert "\nencoding\nencoding: 12/24 frames, " in done.stderr
    assert "1 key frame," in done.stdout
