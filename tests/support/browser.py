"""Pages in a real browser, without a window."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))),
    None,
)  # fmt: skip

_WITH_PIPES = (
    "import fcntl, os, sys; "
    # Out of the way first: they may be the other's place.
    "moved = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3]]; "
    "os.dup2(moved[0], 3); os.dup2(moved[1], 4); os.execv(sys.argv[3], sys.argv[3:])"
)

needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


@dataclass(frozen=True)
class Seen:
    """What a browser made of a page.

    Attributes:
        dom: the page after its scripts have run.
        console: what they and the browser printed to the console.
        answer: what `look`'s question returned.
    """

    dom: str
    console: list[str]
    answer: str


@contextlib.contextmanager
def running(
    *arguments: str, pipes: tuple[int, int] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A browser with these arguments, which is ended behind the block.

    Args:
        arguments: of its command line.
        pipes: what becomes its descriptors 3 and 4; then nobody reads what it prints.
    """
    assert BROWSER is not None
    command = [BROWSER, *arguments]
    if pipes is not None:
        command = [sys.executable, "-c", _WITH_PIPES, *map(str, pipes), *command]
    printed = subprocess.PIPE if pipes is None else subprocess.DEVNULL
    browser = subprocess.Popen(
        command, stdout=printed, stderr=printed, text=True, start_new_session=True,
        pass_fds=pipes or (),
    )  # fmt: skip
    try:
        yield browser
    finally:
        for pid in _session(browser.pid):
            with contextlib.suppress(OSError):
                # On two busy CPUs its processes have been seen to wait in the kernel, at their own
                # raised priority, for others that they kept from running; no signal ended them.
                os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
                os.kill(pid, signal.SIGKILL)
        browser.wait(30)
        for stream in (browser.stdout, browser.stderr):
            if stream is not None:
                stream.close()


def _session(leader: int) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(folder.name)) == leader:
                yield int(folder.name)


def look(
    page: Path, question: str = "''", *, width: int = 1280, dark: bool = False, limit_s: float = 300
) -> Seen:
    """Open a page in a frame of that width, so that it may be narrower than any window.

    Args:
        page: an HTML file.
        question: an expression in JavaScript about `page`, the window with the page in it.
        width: of the page in px.
        dark: whether the user prefers dark pages.
        limit_s: seconds after which the browser is ended.
    """
    around = page.with_name(f"around-{page.name}")
    around.write_text(
        f"<!doctype html><meta charset=utf-8><iframe id=frame src='{page.name}' "
        f"style='width:{width}px;height:900px;border:0'></iframe><pre id=answer></pre><script>"
        "document.getElementById('frame').onload = (event) => {\n"
        "  const page = event.target.contentWindow;\n"
        "  const text = (id) => page.document.getElementById(id).textContent;\n"
        f"  const asked = () => {question};\n"
        "  let answer;\n"
        "  try { answer = asked(); } catch (error) { answer = `raised ${error}`; }\n"
        "  document.getElementById('answer').textContent = answer;\n"
        "  document.getElementById('frame').before(page.document.documentElement.outerHTML);\n"
        "};</script>"
    )
    with running(
        "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        "--allow-file-access-from-files", "--enable-logging=stderr",
        f"--user-data-dir={page.parent / 'profile'}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--window-size=2600,1000", around.as_uri(),
    ) as browser:  # fmt: skip
        out, err = browser.communicate(timeout=limit_s)
    console = re.findall(r"CONSOLE.*?\] (.*)", err)
    before, _, answer = out.rpartition('<pre id="answer">')
    return Seen(unescape(before), console, unescape(answer.partition("</pre>")[0]))
