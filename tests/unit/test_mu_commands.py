"""Commands run as described, and their failures are named."""

from __future__ import annotations

import gzip
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import mu
from mu.commands.command import Argument, Command, Input, Output
from mu.commands.run import Finished, run
from mu.errors import (
    CommandError,
    CommandFailed,
    CommandNotFound,
    NoSuchKey,
    OutputMissing,
    ScratchFull,
    TaskTimeout,
)
from tests.support.processes import alive, wait_until


def python(code: str, *arguments: Argument) -> Command:
    """A command that runs Python code."""
    return Command([sys.executable, "-c", f"import os, sys, time; {code}", *arguments])


def execute(command: Command, folder: Path, **inputs: tuple[str, bytes]) -> Finished:
    """Run a command with inputs, each with its name and its bytes."""
    return run(
        command,
        folder,
        {
            name: (lambda path, data=data: path.write_bytes(data))
            for name, (_, data) in inputs.items()
        },
        names={name: called for name, (called, _) in inputs.items()},
    )


COPY = "open(sys.argv[2], 'wb').write(open(sys.argv[1], 'rb').read()[::-1]); print(sys.argv[1])"


def test_a_program_reads_and_writes_files(tmp_path: Path) -> None:
    """If this fails, no command does anything."""
    done = execute(python(COPY, Input("src"), Output("out.z")), tmp_path, src=("a.json", b"abc"))
    assert (done.files["out.z"].read_bytes(), done.files["out.z"].name) == (b"cba", "out.z")
    assert done.log.strip().endswith("/in/src/a.json")
    assert 0 < done.seconds < 60


def test_what_a_program_prints_can_be_an_output(tmp_path: Path) -> None:
    """If this fails, programs that write to their standard output need a shell."""
    packed = Command(["gzip", "-c", Input("src")], stdout=Output("out.gz"))
    assert packed.outputs == ("out.gz",)
    assert Command.from_json(packed.to_json()) == packed
    done = execute(packed, tmp_path, src=("a.txt", b"abc" * 1000))
    assert gzip.decompress(done.files["out.gz"].read_bytes()) == b"abc" * 1000
    assert done.log == ""
    noisy = tmp_path / "noisy"
    noisy.mkdir()
    shout = Command(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"],
        stdout=Output("out"),
    )
    done = execute(shout, noisy)
    assert (done.files["out"].read_text(), done.log) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("-rf", "-rf"),
        ("; rm -rf *", "__rm_-rf__"),
        ("$(reboot) `id`.png", "__reboot___id_.png"),
        ("../../etc/passwd", "passwd"),
        ("a/b\n%03d.png", "b__03d.png"),
        ("..", "file"),
        (".hidden", "hidden"),
        ("x" * 300 + ".jpeg", "x" * 95 + ".jpeg"),
        ("film.\u00e4\u00f6", "film.__"),
    ],
)
def test_hostile_names_are_harmless(tmp_path: Path, name: str, seen: str) -> None:
    """If this fails, a file's name is taken for an option, a pattern, or a path elsewhere."""
    done = execute(python(COPY, Input("src"), Output("out")), tmp_path, src=(name, b"1"))
    assert Path(done.log.strip()) == tmp_path / "in" / "src" / seen


def test_arguments_reach_the_program_as_they_are(tmp_path: Path) -> None:
    """If this fails, a shell or anything else reads meaning into arguments."""
    arguments = ["a b", "$HOME", "*", "\n", "", "'\"`;&|"]
    done = execute(python("print(repr(sys.argv[1:]))", *arguments), tmp_path)
    assert done.log.strip() == repr(arguments)


def test_files_travel_with_the_program(tmp_path: Path) -> None:
    """If this fails, a program of the user's own is not found, or not its data."""
    program = tmp_path / "greet"
    program.write_text('#!/bin/sh\necho hello from "$WHO" > "$1"\n')
    folder = tmp_path / "run"
    folder.mkdir()
    command = Command(["greet", Output("out")], files=[str(program)], env={"WHO": "me"})
    assert execute(command, folder).files["out"].read_text() == "hello from me\n"
    assert not os.access(program, os.X_OK)


def test_exit_codes_and_signals_are_reported_with_the_last_lines(tmp_path: Path) -> None:
    """If this fails, a user sees that a program failed, but not how."""
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    noisy = "print('x' * 10_000_000); print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CommandFailed, match=r"python\S* ended with exit code 3: .*why") as failed:
        execute(python(noisy), tmp_path / "1")
    assert failed.value.code == 3
    assert len(failed.value.log) <= 16 << 10
    with pytest.raises(CommandFailed, match="was ended by SIGSEGV") as failed:
        execute(python(f"os.kill(os.getpid(), {int(signal.SIGSEGV)})"), tmp_path / "2")
    assert failed.value.code == -signal.SIGSEGV


def test_outputs_are_required(tmp_path: Path) -> None:
    """If this fails, a job ends well without its results."""
    command = python("open(sys.argv[1], 'w'); print('done')", Output("a"), Output("b"), Output("c"))
    with pytest.raises(OutputMissing, match="did not write b, c: done"):
        execute(command, tmp_path)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """If this fails, a missing program looks like a failure of its own."""
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with pytest.raises(CommandNotFound, match="no program 'no-such-program' here: name it in"):
        execute(Command(["no-such-program"]), tmp_path / "1")
    (tmp_path / "text").write_bytes(b"\x7fELF, but no more")
    with pytest.raises(CommandNotFound, match="text does not run here"):
        execute(Command(["text"], files=[str(tmp_path / "text")]), tmp_path / "2")


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """If this fails, programs go on after their time, or leave others behind."""
    for name, ends in (("late", "time.sleep(60)"), ("early", "os._exit(0)")):
        folder = tmp_path / name
        folder.mkdir()
        pid = tmp_path / f"{name}.pid"
        child = f"open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
        command = python(
            f"import subprocess; subprocess.Popen([sys.executable, '-c', sys.argv[1]]);"
            f"[time.sleep(0.01) for _ in iter(lambda: os.path.exists({str(pid)!r}) and"
            f" os.path.getsize({str(pid)!r}) > 0, True)]; {ends}",
            f"import os, time; {child}",
        )
        if name == "late":
            # Enough for two programs to start on a busy machine.
            with mu.Executor(workers=1, timeout=8) as executor:
                (late,) = executor.map(command, [{}], return_exceptions=True)
            assert isinstance(late, TaskTimeout)
            assert "took longer than 8 s" in str(late)
        else:
            execute(command, folder)
        process = int(pid.read_text())
        wait_until(lambda process=process: not alive(process))


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """If this fails, a worker whose /tmp is full fails with an error of the system's."""

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ScratchFull, match=r"no room in .* for cat's files: \d+ MiB are free"):
        run(Command(["cat", Input("a")]), tmp_path, {"a": full}, names={"a": "a"})


def test_wrong_commands_are_refused() -> None:
    """If this fails, a mistake is found only on the workers."""
    for argv in ("ls -l", [], [Input("a")], ["ls", Input("../a")], ["ls", "a\0b"]):
        with pytest.raises(CommandError):
            Command(argv)
    with pytest.raises(CommandError, match="same name"):
        Command(["a"], files=["x/a", "y/a"])


def test_a_command_is_plain_data() -> None:
    """If this fails, workers elsewhere run another command than the one described."""
    command = Command(
        ["zstd", "-19", Input("src"), "-o", Output("out"), Input("src")],
        files=["./zstd"],
        env={"A": "b"},
    )
    assert Command.from_json(command.to_json()) == command
    assert (command.inputs, command.outputs) == (("src",), ("out",))


REVERSE = Command([sys.executable, "-c", f"import sys; {COPY}", mu.input("src"), mu.output("out")])


def test_a_command_runs_for_each_file(tmp_path: Path) -> None:
    """If this fails, a program cannot be run over many files."""
    names = ["a b.txt", "-c.txt", "d.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    (tmp_path / "folder.txt").mkdir()
    with mu.Executor(workers=2) as executor:
        done = list(
            executor.map(
                REVERSE, mu.files(f"{tmp_path}/*.txt"), into=f"{tmp_path}/z/{{stem}}.{{index}}.z"
            )
        )
    found = {Path(one.files["out"]).name: Path(one.files["out"]).read_text() for one in done}
    assert found == {"-c.0.z": "txt.c-", "a b.1.z": "txt.b a", "d.2.z": "txt.d"}
    assert all(one.seconds > 0 and "/in/src/" in one.log for one in done)


def test_a_command_that_fails_delivers_nothing(tmp_path: Path) -> None:
    """If this fails, a file that was not finished stands under a result's name."""
    command = python("open(sys.argv[1], 'w').write('half'); sys.exit(4)", mu.output("out"))
    with mu.Executor(workers=1) as executor:
        (failed,) = executor.map(command, [{}], into=f"{tmp_path}/out", return_exceptions=True)
    assert isinstance(failed, mu.TaskFailed)
    assert isinstance(failed.__cause__, CommandFailed)
    assert "CommandFailed: " in str(failed)
    assert "exit code 4" in str(failed)
    assert not list(tmp_path.iterdir())
    with mu.Executor(workers=1) as executor:
        (failed,) = executor.map(
            REVERSE, [tmp_path / "none"], into=f"{tmp_path}/out", return_exceptions=True
        )
    assert "NoSuchKey: nothing is stored under" in str(failed)


def test_items_that_do_not_fit_are_refused_before_anything_runs(tmp_path: Path) -> None:
    """If this fails, a mistake is found after hours, or results overwrite each other."""
    two = Command(["join", mu.input("a"), mu.input("b"), mu.output("out")])
    wrong: list[tuple[Command, list[Any], Any, str]] = [
        (REVERSE, ["x/a.txt", "y/a.txt"], "{stem}", "a would be written twice: {index} tells"),
        (REVERSE, ["a"], None, "outputs are out, but places are given for none"),
        (REVERSE, ["a"], {"out": "o", "log": "l"}, "places are given for log, out"),
        (REVERSE, ["a"], "{stem}{place}", "{place} is none of index, name, output, stem, suffix"),
        (REVERSE, ["a"], "{stem", "expected '}'"),
        (two, ["a"], "{index}", "inputs are a, b: an item says where each is"),
        (two, [{"a": "1", "c": "2"}], "{index}", "but an item has a, c"),
    ]
    with mu.Executor(workers=1) as executor:
        for command, items, into, message in wrong:
            with pytest.raises(CommandError, match=re.escape(message)):
                executor.map(command, items, into=into)
        with pytest.raises(ValueError, match="only the outputs of a command"):
            executor.map(abs, [1], into="x")


def test_files_are_found_by_patterns(tmp_path: Path) -> None:
    """If this fails, a pattern misses files, or finds folders."""
    for name in ("a.png", "b.png", "c.txt", "d/e.png", "d/f/g.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()

    def found(pattern: str) -> list[str]:
        return [str(Path(one).relative_to(tmp_path)) for one in mu.files(f"{tmp_path}/{pattern}")]

    assert found("*.png") == ["a.png", "b.png"]
    assert found("**/*.png") == ["a.png", "b.png", "d/e.png", "d/f/g.png"]
    assert found("[ac].*") == ["a.png", "c.txt"]
    assert found("none*") == []
    (tmp_path / "c[1].txt").touch()
    assert found("c[1].txt") == ["c[1].txt"]


def test_a_file_or_an_object_is_opened_by_its_name(tmp_path: Path) -> None:
    """If this fails, functions cannot read what `mu.files` has found."""
    (tmp_path / "a.txt").write_bytes(b"0123")
    with mu.open(f"{tmp_path}/a.txt") as file:
        file.seek(2)
        assert file.read() == b"23"
    for missing in (f"{tmp_path}/b.txt", str(tmp_path), f"{tmp_path}/a.txt/c"):
        with pytest.raises(NoSuchKey, match=re.escape(missing)):
            mu.open(missing)
