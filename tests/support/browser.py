"""Pages in a real browser, without a window."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))),
    None,
)  # fmt: skip

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


def look(
    page: Path, question: str = "''", *, width: int = 1280, dark: bool = False, limit_s: float = 60
) -> Seen:
    """Open a page in a frame of that width, so that it may be narrower than any window.

    Args:
        page: an HTML file.
        question: an expression in JavaScript about `page`, the window with the page in it.
        width: of the page in px.
        dark: whether the user prefers dark pages.
        limit_s: seconds after which the browser is ended.
    """
    assert BROWSER is not None
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
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            "--allow-file-access-from-files", "--enable-logging=stderr",
            f"--user-data-dir={page.parent / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--window-size=2600,1000", around.as_uri(),
        ],
        capture_output=True, text=True, timeout=limit_s, check=True,
    )  # fmt: skip
    console = re.findall(r"CONSOLE.*?\] (.*)", done.stderr)
    before, _, answer = done.stdout.rpartition('<pre id="answer">')
    return Seen(unescape(before), console, unescape(answer.partition("</pre>")[0]))
