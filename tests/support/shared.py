"""The folder of standard streams and real clips, which is not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("EXCAMERA_SHARED", ROOT.parent / "shared"))

VECTORS = sorted((SHARED / "vectors").glob("*.ivf"))


def needs(path: Path) -> pytest.MarkDecorator:
    """Returns a mark that skips a test if a shared file is absent, and names the file."""
    return pytest.mark.skipif(not path.exists(), reason=f"{path} is not on this machine")


def expected_md5s(vector: Path) -> list[str]:
    """Returns the MD5 of each shown frame of a vector, as published beside it."""
    listing = vector.with_suffix(".ivf.md5").read_text().splitlines()
    return [line.split()[0] for line in listing if line.strip()]
