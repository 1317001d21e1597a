"""Emulators for tests, which skip where none is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, EmulatorUnavailableError


@contextmanager
def an_emulator(root: Path, **options: Any) -> Iterator[Emulator]:
    """An emulator while the context lasts; skips the test where none is installed."""
    try:
        with Emulator(root, **options) as running:
            yield running
    except EmulatorUnavailableError as error:
        pytest.skip(str(error))
