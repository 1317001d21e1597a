"""The commands in processes of their own, as a shell starts them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

from tests.support.shared import ROOT

EXCAMERA = [sys.executable, "-m", "excamera"]
MU = [sys.executable, "-m", "mu"]

# Mounts a small disk on $1 where only this command sees it; what is left on it goes to $2.
_ON_A_SMALL_DISK = """
mount -t tmpfs -o size="$3" none "$1" || exit 99
folder=$1 left=$2
shift 3
code=0
"$@" || code=$?
ls -A "$folder" > "$left"
exit $code
"""
_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without failing if it fails."""
    given: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 120, **options}
    if given.keys() & {"stdout", "stderr"}:
        del given["capture_output"]
    return subprocess.run([str(one) for one in command], cwd=ROOT, check=False, **given)


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a disk where only one command sees it."""
    try:
        return on_a_small_disk(folder, "64k", "true")[0].returncode == 0
    except FileNotFoundError:
        return False


def on_a_small_disk(
    folder: Path, size: str, *command: object, **options: Any
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a command for which a folder is a disk of that size; returns what is left on it, too."""
    folder.mkdir(exist_ok=True)
    left = folder.with_name(f"{folder.name}.left")
    done = run(*_NAMESPACE, "sh", "-c", _ON_A_SMALL_DISK, "sh", folder, left, size, *command,
               **options)  # fmt: skip
    return done, left.read_text().splitlines() if left.exists() else []


def resize(terminal: int, columns: int) -> None:
    """Give a terminal a width; 0 columns if it does not know."""
    fcntl.ioctl(
        terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0)
    )


def on_a_terminal(*command: object, columns: int, **options: Any) -> tuple[int, str]:
    """Run a command whose three streams are a terminal; returns its exit code and the text."""
    ours, theirs = pty.openpty()
    resize(theirs, columns)
    process = subprocess.Popen([str(one) for one in command], cwd=ROOT, stdin=theirs,
                               stdout=theirs, stderr=theirs, **options)  # fmt: skip
    os.close(theirs)
    text = b""
    try:
        while data := _read(ours):
            text += data
        return process.wait(timeout=120), text.decode()
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # nobody holds the other side any more
        return b""
