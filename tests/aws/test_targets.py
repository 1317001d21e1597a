"""A preset, a target and zones on the stack: what samples say decides there, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.excamera.deployed import Deployed
from excamera.job.options import EncodeOptions
from excamera.job.target import Reached
from excamera.local import encode_file
from tests.support.scenes import film, pan, zoom

pytestmark = [pytest.mark.aws, pytest.mark.slow]


def test_the_stack_meets_a_target_as_a_machine_does(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, a film of a preset, a size or zones differs on AWS, or its size is missed."""
    source = film(tmp_path / "film.mkv", [*pan(1, 40), *zoom(2, 30)])
    texts = {"preset": "preview", "size": "60k", "zones": "0-0.8=+6"}
    metadata = {f"excamera-{name}": text for name, text in texts.items()}
    job = stack.job(stack.upload("targets/film.mkv", source, metadata))
    assert job.status == "SUCCEEDED"
    local = tmp_path / "local.mp4"
    encode_file(str(source), local, EncodeOptions().with_texts(texts), workers=2)
    made = stack.output("targets/film.mp4")
    assert made == local.read_bytes()
    reached = Reached.from_json(job.output["target"])
    assert reached is not None
    assert (reached.kind, reached.reached, reached.is_met) == ("size", len(made), True)
