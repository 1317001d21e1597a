"""The emulator that these tests share, with a small stack of their own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import Emulator
from tests.emulator.example import STACK, template
from tests.support.emulator import an_emulator


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory like those that `cdk synth` writes."""
    directory = tmp_path_factory.mktemp("assembly")
    (directory / f"{STACK}.template.json").write_text(json.dumps(template()))
    return directory


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator without roles; skips if none is installed."""
    with an_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def outputs(emulator: Emulator, assembly: Path) -> dict[str, str]:
    """The outputs of the example stack, deployed."""
    return emulator.deploy(assembly, STACK)
