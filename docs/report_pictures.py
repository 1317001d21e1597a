"""Draws the pictures of `report.md`: ``python -m docs.report_pictures``, with Chromium.

It writes a sample film, encodes it in two ways and reports on both, as users do with `excamera`.
It also writes the page of `docs.sample_report`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from docs.sample_report import main as sample_report

FIGURES = Path(__file__).resolve().parent / "figures"
_EXCAMERA = str(Path(sys.executable).with_name("excamera"))


@dataclass(frozen=True)
class _Shot:
    """A picture: its name, the page, the window in px.

    With `frame` it shows the worst frame; with `dark` the user likes pages dark.
    """

    name: str
    page: str
    width: int
    height: int
    dark: bool = False
    frame: bool = False


_SHOTS = (
    _Shot("report.png", "ours.html", 1200, 1500),
    _Shot("report-two.png", "both.html", 1200, 1080),
    _Shot("report-frame.png", "both.html", 1200, 700, frame=True),
    _Shot("report-phone.png", "ours.html", 500, 1250, dark=True),
)


def main() -> int:
    """Write the figures."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("needs Chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _excamera(folder, "sample", "--seconds", "6", "film.mp4")
        _excamera(
            folder, "encode", "film.mp4", "film.webm", "-n", "9", "-x", "4", "-j", "2",
            "--report", "ours.html",
        )  # fmt: skip
        _excamera(folder, "encode", "film.mp4", "film-h264.mp4", "--codec", "h264", "--crf", "28")
        _excamera(
            folder, "report", "film.webm", "film-h264.mp4", "--reference", "film.mp4",
            "-o", "both.html", "--title", "VP8 and H.264",
        )  # fmt: skip
        sample_report()
        for shot in _SHOTS:
            _take(browser, folder, shot)
    return 0


def _excamera(folder: Path, *arguments: str) -> None:
    subprocess.run([_EXCAMERA, *arguments], cwd=folder, check=True, capture_output=True)


def _take(browser: str, folder: Path, shot: _Shot) -> None:
    page = folder / shot.page
    link = f"#frame={_worst(page.read_text())}" if shot.frame else ""
    subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={shot.width},{shot.height}",
            f"--blink-settings=preferredColorScheme={0 if shot.dark else 1}",
            # Time for the page to unpack its data.
            "--virtual-time-budget=5000",
            f"--screenshot={FIGURES / shot.name}", page.as_uri() + link,
        ],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip


def _worst(text: str) -> int:
    """The frame of a page that says itself that it is the worst of a run."""
    data = json.loads(text.partition('id="report">')[2].partition("</script>")[0])
    return int(next(at for at, why in data["pictured"].items() if "number 1 of the worst" in why))


if __name__ == "__main__":
    sys.exit(main())
