"""Draws `figures/timeline.png`: ``python -m docs.timeline`` encodes a sample, with Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.sample import SampleClip, write_sample

FIGURE = Path(__file__).resolve().parent / "figures" / "timeline.png"


def main() -> int:
    """Write the figure."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("needs Chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, page = folder / "sample.mp4", folder / "sample.html"
        write_sample(source, SampleClip(width=640, height=360, rate=24, seconds=6))
        options = EncodeOptions(chunk_frames=6, batch_chunks=8)
        encode_file(str(source), folder / "sample.webm", options, workers=4, timeline=page)
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={folder / 'profile'}", "--window-size=1000,420",
                f"--screenshot={FIGURE}", page.as_uri(),
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
