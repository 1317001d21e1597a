"""`make cloud` as a newcomer uses it: in one terminal, with curl in another."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.excamera.deployed import digest
from emulator.processes import EmulatorUnavailableError, interpreter
from tests.support.assembly import ROOT

Locally = Callable[..., str]

pytestmark = [pytest.mark.aws, pytest.mark.slow]


class Terminal:
    """The command in a pseudo-terminal."""

    def __init__(self) -> None:
        controller, terminal = pty.openpty()
        self._controller = controller
        self.process = subprocess.Popen(
            [sys.executable, "-m", "emulator.excamera"],
            cwd=ROOT,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self.text = ""

    def wait_for(self, pattern: str, patience_s: float = 300) -> re.Match[str]:
        """Waits until the screen shows a pattern; returns the match."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.text):
                return found
            if select.select([self._controller], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._controller, 65536).decode(errors="replace")
                except OSError:
                    break  # it has ended
        raise AssertionError(f"no {pattern!r} in:\n{self.text}")

    def end(self) -> int:
        """Presses Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(timeout=120)
        os.close(self._controller)
        return code


@pytest.fixture
def terminal(assembly: Path) -> Iterator[Terminal]:
    """The running command; skips if the emulator is not installed.

    The layers are built before, with `assembly`: that may take longer than a test should wait.
    """
    try:
        interpreter("ministack")
        interpreter("states")
    except EmulatorUnavailableError as error:
        pytest.skip(str(error))
    running = Terminal()
    yield running
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()


def put(url: str, data: bytes) -> None:
    """Does what `curl -T` does."""
    request = urllib.request.Request(url, data=data, method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_a_newcomer_tries_the_stack(terminal: Terminal, locally: Locally, clip: Path) -> None:
    """If this fails, the printed instructions do not lead to an encoded film."""
    inbox = terminal.wait_for(r"curl -T film\.mp4 (http://127\.0\.0\.1:\d+/\S+)/film\.mp4").group(1)
    terminal.wait_for("Ctrl-C ends it")
    put(f"{inbox}/my%20film.mp4", clip.read_bytes())
    terminal.wait_for(r"my-film-\w+: started")
    url = terminal.wait_for(r"(http\S+/my%20film\.webm) has 26 frames").group(1)
    with urllib.request.urlopen(url) as answer:
        assert digest(answer.read()) == locally(clip)
    put(f"{inbox}/broken.mp4", b"no video")
    terminal.wait_for(r"broken-\w+: failed: NotAVideo: index: s3://\S+/broken\.mp4")
    assert terminal.end() == 0
