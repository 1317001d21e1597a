"""The size of a layer."""

from __future__ import annotations

from pathlib import Path


def size_bytes(layer: Path) -> int:
    """The sum of all file sizes, which counts towards Lambda's limit of 250 MB unzipped."""
    return sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
