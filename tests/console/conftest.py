"""A browser, and consoles of this machine to drive with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from excamera.console.local import local_console
from tests.console.callers import Caller, calling
from tests.pipeline.clips import Clip
from tests.support.chromium import Chromium, chromium


@pytest.fixture(scope="session")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser for all tests of the console."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of moving picture with sound."""
    return Clip(frames=26, sound="aac").write(tmp_path_factory.mktemp("film") / "a film.mp4")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[str]:
    """The address of a console over a folder of its own."""
    with local_console(tmp_path / "folder", 0) as address:
        yield address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A console's folder."""
    return tmp_path_factory.mktemp("console")


@pytest.fixture(scope="module")
def caller(folder: Path) -> Iterator[Caller]:
    """Somebody who may call."""
    with calling(folder) as found:
        yield found


@pytest.fixture(scope="module")
def done(caller: Caller, film: Path) -> dict[str, Any]:
    """A job that has ended."""
    return caller.ended(caller.submit(film, crf=40)["id"])
