"""Draws the pictures of `console.md`: ``python -m docs.console_pictures``, with Chromium.

It serves the console over a new folder, beside a job of mu, drags a sample film into its page, and
looks at the job.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from excamera.console.local import local_console
from mu import DirectoryStore, Executor
from tests.support.chromium import Page, chromium

FIGURES = Path(__file__).resolve().parent / "figures"
_EXCAMERA = str(Path(sys.executable).with_name("excamera"))


def main() -> int:
    """Write the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = folder / "sample.mp4"
        subprocess.run([_EXCAMERA, "sample", "--seconds", "6", str(film)], check=True,
                       capture_output=True)  # fmt: skip
        with Executor(workers=2, store=DirectoryStore(folder / "mu"), timeline="checksums") as ex:
            list(ex.map(hash, range(8)))
        with (
            local_console(folder / "console", 0, mu=folder / "mu") as address,
            chromium(folder / "profile") as driven,
        ):
            page = driven.page(address, width=1280, height=900)
            page.until("document.body.dataset.ready")
            page.drop("#drop", film)
            page.until("document.getElementById('estimate').textContent.startsWith('Estimate')")
            page.click("#send")
            page.until("document.getElementById('job-state')?.textContent === 'done'")
            page.until("document.querySelector('#result-video')?.readyState >= 2")
            page.until("document.querySelector('#job-report button')")
            _show(page, "console.png", 1280, 1600, "html")
            page.prefer(dark=True)
            _show(page, "console-phone.png", 430, 1000, "#job-title")
            page.close()
    return 0


def _show(page: Page, name: str, width: int, height: int, first: str) -> None:
    """Take a picture that begins with an element."""
    page.resize(width, height)
    page.ask(f"document.querySelector('{first}').scrollIntoView() ?? true")
    page.picture(FIGURES / name, whole=False)


if __name__ == "__main__":
    sys.exit(main())
