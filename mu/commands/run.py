"""Runs a command on this machine, and says how it ended."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mu.commands.command import Command, Input, Output
from mu.errors import CommandFailed, CommandNotFound, OutputMissing, ScratchFull
from mu.machine import children, end_with_descendants
from mu.store.files import fetch as fetch_file
from mu.store.files import name_of
from mu.store.url import is_object_url

_TAIL_BYTES = 16 << 10
"""What is kept of the end of a log, which may be longer than memory."""

_LAST_WORDS_S = 2.0

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended well.

    Attributes:
        files: what it wrote, by the names of its outputs.
        log: the last lines of what it printed.
        seconds: how long it ran.
    """

    files: Mapping[str, Path]
    log: str
    seconds: float


def run(
    command: Command,
    folder: Path,
    fetch: Mapping[str, Callable[[Path], object]],
    *,
    names: Mapping[str, str],
) -> Finished:
    """Run a command in a folder; nothing that it started is left running.

    It may take any time: whoever limits that ends this process.

    Args:
        command: what to run.
        folder: an empty folder, which the caller removes.
        fetch: for each input, what writes it to a path.
        names: what each input is called where it comes from, for programs that go by endings.

    Raises:
        CommandNotFound: there is no such program, or it cannot be run here.
        CommandFailed: it ended with an exit code other than 0, or by a signal.
        OutputMissing: it ended well, but did not write all of its outputs.
        ScratchFull: there is no room for its files.
    """
    try:
        return _run(command, folder, fetch, names)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(folder).free >> 20
            raise ScratchFull(
                f"no room in {folder.parent} for {command.argv[0]}'s files: {free} MiB are free"
            ) from error
        raise


def _run(
    command: Command,
    folder: Path,
    fetch: Mapping[str, Callable[[Path], object]],
    names: Mapping[str, str],
) -> Finished:
    programs, work, results = folder / "bin", folder / "work", folder / "out"
    for one in (programs, work, results):
        one.mkdir()
    for file in command.files:
        _place(file, programs / name_of(file))
    inputs = {}
    for name in command.inputs:
        place = folder / "in" / name / _harmless(names[name])
        place.parent.mkdir(parents=True)
        fetch[name](place)
        inputs[name] = place
    outputs = {name: results / name for name in command.outputs}
    argv = [_argument(one, inputs, outputs) for one in command.argv]
    environment = {**os.environ, "TMPDIR": str(work), "HOME": str(work), **command.env}
    environment["PATH"] = f"{programs}:{environment.get('PATH', os.defpath)}"
    libraries = environment.get("LD_LIBRARY_PATH", "")
    environment["LD_LIBRARY_PATH"] = f"{programs}:{libraries}".rstrip(":")
    begun = time.monotonic()
    printed = None if command.stdout is None else outputs[command.stdout.name]
    code, log = _execute(argv, work, environment, printed)
    seconds = time.monotonic() - begun
    if code != 0:
        raise CommandFailed(argv[0], code, log)
    missing = sorted(name for name, path in outputs.items() if not path.is_file())
    if missing:
        raise OutputMissing(argv[0], missing, log)
    return Finished(outputs, log, seconds)


def _argument(
    one: str | Input | Output, inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> str:
    match one:
        case Input():
            return str(inputs[one.name])
        case Output():
            return str(outputs[one.name])
    return one


def _place(file: str, target: Path) -> None:
    """Copy a file that travels with the command to where it is run."""
    if not is_object_url(file):
        shutil.copyfile(file, target)
    else:
        shutil.copyfile(_kept(file), target)
    target.chmod(target.stat().st_mode | stat.S_IXUSR)


def _kept(url: str) -> Path:
    """A stored file, fetched once for all commands of this worker."""
    folder = Path(tempfile.gettempdir()) / "mu-kept"
    folder.mkdir(exist_ok=True)
    kept = folder / hashlib.sha256(url.encode()).hexdigest()
    if not kept.exists():
        part = folder / f"{kept.name}.{os.getpid()}"
        fetch_file(url, part)
        part.rename(kept)
    return kept


def _harmless(name: str) -> str:
    """A file name that means nothing to any program, with the ending of `name`.

    Paths are absolute, so no name is taken for an option; but programs read meaning into other
    signs, too, such as patterns of numbered files.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name.rstrip("/").rpartition("/")[2]).lstrip(".")
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        stem, ending = plain, ""
    ending = (dot + ending)[:_LONGEST_NAME]
    return (stem[: _LONGEST_NAME - len(ending)] or "file") + ending


def _execute(
    argv: list[str], work: Path, environment: Mapping[str, str], printed: Path | None
) -> tuple[int, str]:
    """The exit code (of a signal its number, negative), and the end of the log.

    What it prints goes to the path `printed`; without one it belongs to the log, as all that it
    says of errors.
    """
    found = shutil.which(argv[0], path=environment["PATH"])
    if found is None:
        raise CommandNotFound(
            f"there is no program {argv[0]!r} here: name it in `files`, so that it travels with "
            "the command"
        )
    before = children(os.getpid())
    ours, theirs = os.pipe()
    try:
        with contextlib.ExitStack() as opened:
            opened.callback(os.close, theirs)
            out = theirs if printed is None else opened.enter_context(printed.open("xb"))
            process = subprocess.Popen(
                argv,
                executable=found,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=theirs,
                process_group=0,
            )
    except OSError as error:
        os.close(ours)
        raise CommandNotFound(f"{argv[0]} does not run here: {error.strerror}") from error
    log = _Log(os.fdopen(ours, "rb", buffering=0))
    try:
        code = process.wait()
    finally:
        # Also what it has started and left behind.
        end_with_descendants(children(os.getpid()) - before)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return code, log.end()


class _Log:
    """Reads what a program prints, and keeps the end of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while part := os.read(self._pipe.fileno(), 1 << 16):
            self._kept += part
            del self._kept[:-_TAIL_BYTES]

    def end(self) -> str:
        """The last lines, once the program has ended."""
        # Whoever left the program's process group may keep its end of the pipe.
        self._thread.join(_LAST_WORDS_S)
        if not self._thread.is_alive():
            self._pipe.close()
        return self._kept.decode(errors="replace")
