"""How large a layer is."""

from __future__ import annotations

from pathlib import Path


def size_bytes(layer: Path) -> int:
    """The sum of all files' sizes: what counts towards Lambda's limit of 250 MB unzipped."""
    return sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
