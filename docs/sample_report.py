"""Writes the report of a sample film that is a page of docs: ``python -m docs.sample_report``.

Run it when the pages of reports have changed: a test compares their parts.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from excamera.cli.main import main as excamera
from excamera.report.job import job_facts
from excamera.report.making import report_of
from excamera.report.page import write_report

PAGE = Path(__file__).resolve().parent / "reports" / "sample.html"
MOST_BYTES = 600_000
"""A clone has the page, too."""

_PICTURES_BYTES = 400_000


def main() -> int:
    """Write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film, job = folder / "sample.mp4", folder / "job"
        for arguments in (
            ["sample", "--seconds", "6", str(film)],
            ["encode", "-q", str(film), str(folder / "sample.webm"), "--scale", "320:-2",
             "-n", "9", "-x", "4", "--workers", "2", "--keep-job", str(job)],
        ):  # fmt: skip
            if excamera(arguments) != 0:
                return 1
        made = report_of(job_facts(job), title="A sample film", pictures_bytes=_PICTURES_BYTES)
    PAGE.parent.mkdir(exist_ok=True)
    write_report(PAGE, made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
