"""The default stack, synthesised once for all of these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.excamera.synthesis import synthesise
from tests.support.assembly import template


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `cdk deploy` would deploy."""
    outdir = tmp_path_factory.mktemp("assembly")
    done = synthesise(outdir)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", "`cdk ls` prints names there, and nothing else"
    return outdir


@pytest.fixture(scope="session")
def stack(assembly: Path) -> dict[str, Any]:
    """The template of the default stack."""
    return template(assembly)
