"""Emulators for tests, which skip if none is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator, EmulatorUnavailableError


@contextmanager
def an_emulator(root: Path, **options: Any) -> Iterator[Emulator]:
    """Runs an emulator for as long as the context lasts; skips the test if none is installed."""
    try:
        with Emulator(root, **options) as running:
            yield running
    except EmulatorUnavailableError as error:
        pytest.skip(str(error))
