"""The command `mu`, as a user runs it."""

from __future__ import annotations

import gzip
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mu import DirectoryStore
from mu.timelines import Timelines
from tests.support.processes import alive, wait_until


def mu(*arguments: str, inside: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, on this machine."""
    command, *rest = arguments
    return subprocess.run(
        [sys.executable, "-m", "mu", command, "--local", *rest],
        cwd=inside, input=given, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder with three texts, one of which has an unpleasant name."""
    for name, text in (("a.txt", "one\n"), ("b.txt", "two\n"), ("-n $(x).txt", "three\n")):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_program_runs_over_files(texts: Path) -> None:
    """If this fails, `mu run` as documented does nothing."""
    done = mu(
        "run", "--input", "*.txt", "--output", "out/{stem}.up", "--workers", "2",
        "--", "dd", "conv=ucase", "status=none", "if=/dev/null", "of=/dev/null", inside=texts,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")  # dd knows no plain arguments
    assert done.stderr.endswith("mu: 3 of 3 failed\n")
    assert not (texts / "out").exists()
    done = mu(
        "run", "--input", "*.txt", "--output", "out/{stem}.up", "--", "cp", "{in}", "{out}",
        inside=texts,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = {path.name: path.read_text() for path in (texts / "out").iterdir()}
    assert found == {"a.up": "one\n", "b.up": "two\n", "-n $(x).up": "three\n"}


def test_what_happened_is_stored_for_reports(texts: Path) -> None:
    """If this fails, jobs of the command line are in no report and not in the console."""
    given = (
        "run", "--input", "*.txt", "--output", "out/{stem}", "--timeline", "jobs/tonight",
        "--", "cp", "{in}", "{out}",
    )  # fmt: skip
    assert mu(*given, inside=texts).returncode == 0
    timelines = Timelines(DirectoryStore(texts / "jobs"))
    job = timelines.job("tonight")
    assert job is not None
    assert job.state == "succeeded"
    records, _ = timelines.records("tonight", "", 100)
    assert len(records) == 3
    assert {path.name for path in (texts / "jobs").iterdir()} == {".jobs", "tonight"}
    again = mu(*given, inside=texts)
    assert again.returncode == 2
    assert "jobs/tonight: name a folder that is not there yet" in again.stderr


def test_what_a_program_prints_is_the_result(texts: Path) -> None:
    """If this fails, gzip and its like cannot be used from the command line."""
    done = mu(
        "run", "--input", "[ab].txt", "--output", "{stem}.up", "--stdout", "--", "tr", "a-z", "A-Z",
        inside=texts,
    )  # fmt: skip
    assert done.returncode == 2  # tr takes no files
    done = mu(
        "run", "--input", "[ab].txt", "--output", "{stem}.gz", "--stdout", "--", "gzip", "-c",
        inside=texts,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert gzip.decompress((texts / "a.gz").read_bytes()) == b"one\n"


def test_a_stack_that_cannot_be_reached_is_told(texts: Path) -> None:
    """If this fails, who has no account learns nothing of --local."""
    done = subprocess.run(
        [sys.executable, "-m", "mu", "run", "--input", "a.txt", "cat"],
        cwd=texts, env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "the stack ExCamera" in done.stderr
    assert "--local" in done.stderr


def test_a_program_of_the_users_own_travels_with_the_job(texts: Path) -> None:
    """If this fails, `mu run ./program` does not find the program or its data."""
    (texts / "count.sh").write_text(
        '#!/bin/sh\ncat "$(dirname "$0")/unit" > "$2"; wc -c < "$1" >> "$2"\n'
    )
    (texts / "unit").write_text("bytes: ")
    done = mu(
        "run", "./count.sh", "--file", "unit", "--input", "[ab].txt", "--output", "{stem}.n",
        inside=texts,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (texts / "a.n").read_text().split() == ["bytes:", "4"]


def test_each_failure_is_told_and_the_rest_is_done(texts: Path) -> None:
    """If this fails, one bad file hides what became of the others."""
    (texts / "picky.sh").write_text(
        '#!/bin/sh\ngrep -q two "$1" && echo no >&2 && exit 7; cp "$1" "$2"\n'
    )
    done = mu("run", "./picky.sh", "--input", "[ab].txt", "--output", "{stem}.ok", inside=texts)
    assert done.returncode == 2
    failed, last = done.stderr.splitlines()
    assert re.fullmatch(
        r"b\.txt: task .*CommandFailed: picky\.sh ended with exit code 7: no", failed
    )
    assert last == "mu: 1 of 2 failed"
    assert [path.name for path in texts.glob("*.ok")] == ["a.ok"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "none*", "cat"], "mu: none*: there is no such file"),
        (["--input", "a.txt", "--output", "{x}", "cat"], "{x} is none of index, name"),
        (["--input", "*.txt", "--output", "same", "cat"], "same would be written twice"),
        (["--input", "a.txt", "no-such-program"], "there is no program 'no-such-program' here"),
        (["cat"], "Missing option '--input'"),
    ],
)
def test_mistakes_are_named(texts: Path, arguments: list[str], message: str) -> None:
    """If this fails, a mistake on the command line ends in a traceback."""
    done = mu("run", *arguments, inside=texts)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


SCRIPT = """
import collections

class Word(collections.namedtuple("Word", "text")):
    def count(self):
        return len(self.text)

def measure(item):
    return {"word": item, "count": Word(item).count(), "ratio": 6 / Word(item).count()}
"""


def test_a_function_of_a_script_runs_over_items(tmp_path: Path) -> None:
    """If this fails, `mu map` as documented does nothing."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "items.jsonl").write_text('"abc"\n\n""\n"de"\n')
    done = mu("map", "script.py:measure", "--items", "items.jsonl", inside=tmp_path)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        '{"word": "abc", "count": 3, "ratio": 2.0}',
        "null",
        '{"word": "de", "count": 2, "ratio": 3.0}',
    ]
    assert done.stderr.splitlines() == [
        "item 2: task measure failed: ZeroDivisionError: division by zero",
        "mu: 1 of 3 failed",
    ]
    piped = mu("map", "script.py:measure", "--items", "-", inside=tmp_path, given='"abc"\n')
    assert (piped.returncode, piped.stderr) == (0, "")
    for arguments, message in (
        (["script.py:none", "--items", "items.jsonl"], "script.py: has no function none"),
        (["script.py", "--items", "items.jsonl"], "is not of the form SCRIPT.py:FUNCTION"),
        (["script.py:measure", "--items", "script.py"], "items, line 2: is not JSON"),
    ):
        wrong = mu("map", *arguments, inside=tmp_path)
        assert wrong.returncode == 2
        assert message in wrong.stderr


def test_packages_are_declared_in_the_command(tmp_path: Path) -> None:
    """If this fails, `mu map` or `mu run` cannot say what a script imports."""
    (tmp_path / "script.py").write_text("def same(item):\n    return item\n")
    arguments = ["map", "script.py:same", "--items", "-", "--package", "cloudpickle>=3"]
    done = mu(*arguments, inside=tmp_path, given="1\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    done = mu(*arguments, "--package", "no-such-package", inside=tmp_path, given="1\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "which lacks some of cloudpickle>=3, no-such-package" in done.stderr
    arguments = ["run", "--input", "script.py", "--output", "same", "--package", "cloudpickle>=3"]
    done = mu(*arguments, "cp", inside=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "same").read_text() == (tmp_path / "script.py").read_text()
    done = mu(*arguments, "--package", "no-such-package", "cp", inside=tmp_path)
    assert done.returncode == 2
    assert "which lacks some of cloudpickle>=3, no-such-package" in done.stderr


def test_progress_is_shown_in_a_terminal(texts: Path) -> None:
    """If this fails, a user who waits sees nothing."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mu", "run", "--local", "--input", "*.txt", "cat"],
        cwd=texts,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 1000):
                shown += part
        except OSError:  # how a terminal ends
            pass
    os.close(ours)
    assert running.returncode == 0
    assert b"3 of 3 done" in shown


def test_an_interrupted_command_leaves_nothing(tmp_path: Path) -> None:
    """If this fails, Ctrl-C leaves programs running, or scratch files behind."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "a").touch()
    program = f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 60"
    with subprocess.Popen(
        [sys.executable, "-m", "mu", "run", "--local", "--input", "a", "--", "sh", "-c", program],
        cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        wait_until((tmp_path / "pid").exists)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        assert running.stderr.read().endswith("mu: interrupted\n")
    assert running.returncode == 130
    assert not list((tmp_path / "tmp").iterdir())
    assert not alive(int((tmp_path / "pid").read_text()))
