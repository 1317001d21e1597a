"""Arrays in .npy files, for the examples that compute with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray


def load(path: Path) -> NDArray[Any]:
    """The array in a file.

    Raises:
        click.UsageError: the file holds no array of plain values.
        OSError: it cannot be read.
    """
    try:
        found = np.load(path)
    except (ValueError, EOFError):  # what NumPy says of a text: that it may be a pickle
        found = None
    if not isinstance(found, np.ndarray):
        raise click.UsageError(f"{path}: is not a .npy file of plain values")
    return found


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array to a file of exactly this name."""
    with path.open("wb") as out:
        np.save(out, array)
