"""What the tests of reports share: a clip encoded in two ways, and what pages hold."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from excamera.cli.main import main
from tests.pipeline.clips import Clip

Capture = pytest.CaptureFixture[str]

FRAMES = 56


@dataclass(frozen=True)
class Encoded:
    """A clip, encoded in two ways, with the report that the first encode wrote."""

    source: Path
    result: Path
    folder: Path
    page: Path
    other: Path


def encoded_in(folder: Path) -> Encoded:
    """The clip, ours in two batches of chunks of 7 frames, and x264's with B-frames."""
    source = Clip(frames=FRAMES, width=160, height=96, sound="aac").write(folder / "film.mp4")
    other = Clip(
        frames=FRAMES, width=160, height=96, options={"crf": "34", "bf": "2", "g": "20"}
    ).write(folder / "other.mp4")
    found = Encoded(source, folder / "film.webm", folder / "job", folder / "encode.html", other)
    assert main([
        "encode", "-q", str(source), str(found.result), "-n", "7", "-x", "4", "--workers", "2",
        "--keep-job", str(found.folder), "--report", str(found.page),
    ]) == 0  # fmt: skip
    return found


def asked(capfd: Capture, *arguments: object) -> dict[str, Any]:
    """What a command prints as JSON."""
    capfd.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def embedded(text: str, name: str) -> Any:
    """The data in a page."""
    return json.loads(text.partition(f'id="{name}">')[2].partition("</script>")[0])


def inflated(text: str) -> Any:
    """What a page unpacks."""
    return json.loads(zlib.decompress(base64.b64decode(text)))
